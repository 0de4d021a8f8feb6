"""Does it pay to lie to a market? Among many rivals for the same goods hardly; where rivals stay few it goes on to.

Buyers of equal budgets say what they want, and a market clears. One buyer at a time says something else, all others
staying with the truth, and is given what the market then finds for it. Of 64 lies the best is kept: a lower bound of what
lying brings. The market grows in two ways from eight buyers of four goods, all wanted by all:

    one town       as many goods as ever, all wanted by all: every buyer is a smaller part of every good's demand
    a long road    a good for every two buyers, each of whom wants the four nearest: every good has eight rivals, as ever

Influence vanishes with the number of rivals, not with the number of people; the gain from lying goes with it.

    python examples/misreport.py [misreport.png]
"""

import sys

import numpy as np

from catallax.economy import allocate
from catallax.view import style

SIZES, SEEDS, NEAR = (8, 16, 32, 64, 128), 5, 4


def town(buyers, seed):
    """Four goods, wanted by all."""
    return np.random.default_rng((0, buyers, seed)).uniform(0.001, 1, (buyers, NEAR))


def road(buyers, seed):
    """A good for every two buyers along a road that closes to a ring; each buyer wants the four nearest ones."""
    wants = np.random.default_rng((1, buyers, seed)).uniform(0.001, 1, (buyers, NEAR))
    value, rows = np.zeros((buyers, buyers // 2)), np.arange(buyers)
    for step in range(NEAR):
        value[rows, (rows // 2 + step) % (buyers // 2)] = wants[:, step]
    return value


def gains(draw, sizes=SIZES, seeds=SEEDS, buyers=8, lies=64):
    """The best gain found, and what could hide in the rounding of the certificates, means of the sampled buyers, both
    [sizes, seeds]."""
    found = [[allocate(draw(n, s)).misreporting(buyers=buyers, seed=s, lies=lies) for s in range(seeds)] for n in sizes]
    gain = np.array([[one.gains.mean() for one in row] for row in found])
    return gain, np.array([[np.median(one.rounding, 1).mean() for one in row] for row in found])


def picture(found, sizes=SIZES):
    """Gain against the number of buyers; `found` (gain, rounding) by name, a line of means with a dot for each seed."""
    gain = {name: 100 * each for name, (each, _) in found.items()}
    first, last = (gain["one town"].mean(1)[k] for k in (0, -1))
    most = last + 100 * found["one town"][1][-1].mean()
    title = (
        f"Among {sizes[0]} rivals the best lie gains {first:.2g} %, among {sizes[-1]} under {most:.1g} %; on a road, where rivals "
        f"stay {sizes[0]}, {gain['a long road'].mean(1)[-1]:.2g} %."
    )
    hidden = 100 * max(rounding[-1].mean() for _, rounding in found.values())
    seeds = gain["one town"].shape[1]
    caption = (
        f"The best of 64 lies, mean of 8 sampled buyers; dots are {seeds} seeds, lines their means. A lower bound; what is "
        f"within the rounding of the certificates ({hidden:.1g} % among {sizes[-1]}) counts as none."
    )
    sheet = style.sheet(3.5, title, caption)
    axes = sheet.axes(style.LEFT, 0.62, style.WIDTH - style.LEFT - style.RIGHT, 2.6)
    places = np.log2(sizes)
    lines = (("one town", "one town: 4 goods for all", style.BLUE), ("a long road", "a long road", style.VERMILION))
    for name, words, colour in lines:
        mean = gain[name].mean(1)
        axes.plot(places, mean, color=colour, linewidth=2.5, zorder=3)
        axes.plot(np.repeat(places, seeds), gain[name].ravel(), "o", color=colour, alpha=0.45, markersize=5)
        middle = dict(ha="center", size=10, weight="bold")
        style.write(axes, places[-2:].mean(), mean[-2:].mean(), words, colour, by=(0, 14), **middle)
    axes.set_ylim(0, 1.05 * max(each.max() for each in gain.values()))
    style.ticks(axes.xaxis, places, [str(n) for n in sizes])
    marks = [y for y in axes.get_yticks() if y <= axes.get_ylim()[1]]
    style.ticks(axes.yaxis, marks, [f"{y:g} %" for y in marks])
    style.name_axes(axes, "buyers", "gain in utility by the best lie found")
    return sheet.figure


def main():
    """Print the gains and save the picture."""
    found = {"one town": gains(town), "a long road": gains(road)}
    for name, (gain, _) in found.items():
        for n, each in zip(SIZES, gain):
            print(
                f"{name:12s} {n:4d} buyers   {100 * each.mean():7.4f} %   ({100 * each.min():.4f} to {100 * each.max():.4f})"
            )
    print(style.save(picture(found), (sys.argv[1:] or ["misreport.png"])[0]))


if __name__ == "__main__":
    main()
