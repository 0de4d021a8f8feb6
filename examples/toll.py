"""Told how long every road takes, all are late; one toll brings them home as a planner would.

Braess' network: two ways from home to work, each of a narrow road (60 minutes x its share of the traffic) and a wide one
(60 minutes), and a shortcut from narrow to narrow that takes no time. Everyone who hears the times takes the shortcut,
and all need 120 minutes. Who is told nothing spreads over the three paths: 93. A toll on the shortcut, found by following
the gradient of everyone's time through the equilibrium, brings 90, the least there is. It is what Pigou's tolls, on all roads,
make the way through the shortcut dearer by.

    python examples/toll.py [toll.png]
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np

import catallax as cx
from catallax.economy.routing import Routing
from catallax.view import style

HOUR, SHORTCUT = 60.0, 4  # minutes; the number of the road that is tolled
TOLLS, STEPS, STRIDE = np.linspace(0, 50, 26), 9, 0.1


def on_shortcut(network, toll):
    """The network with a toll (hours) on its shortcut alone."""
    return network.tolled(jnp.zeros(len(network.edges)).at[SHORTCUT].set(toll))


def minutes(network, toll):
    """How long everyone travels at rest with a toll (minutes) on the shortcut, and the certificate of that."""
    rest = cx.settle(on_shortcut(network, toll / HOUR))
    return HOUR * rest.total_time, rest.certificate


def follow_gradient(network):
    """Tolls (minutes) tried on the way down, from next to nothing."""

    def lost(toll):
        return network.total_time(cx.settle(on_shortcut(network, toll)).society.signal.flow)

    slope, toll, tried = jax.jit(jax.grad(lost)), 0.01, []
    for _ in range(STEPS):
        tried.append(HOUR * toll)
        toll = toll - STRIDE * float(slope(toll))
    return tried


def pigou(network):
    """By how much (minutes) Pigou's tolls make the way through the shortcut dearer than the one that leaves it out."""
    toll = HOUR * network.marginal_toll()
    return toll[0] + toll[SHORTCUT] + toll[3] - (toll[0] + toll[1])


def draw(curve, walk, silence, best, worst, toll):
    """Time against toll; what is told in words beside it."""
    title = (
        f"Told every road's time, all travel {curve[0]:.0f} minutes; told nothing, {silence:.0f}. "
        f"One toll brings {best:.0f}, the least there is."
    )
    caption = (
        f"Braess' network. Points are equilibria, each certified to {worst:.0e} at most; tolls are paid, not lost."
    )
    sheet = style.sheet(3.75, title, caption)
    axes = sheet.axes(style.LEFT, 0.62, style.WIDTH - style.LEFT - style.RIGHT, 2.75)
    axes.axhline(best, color=style.GREEN, linewidth=1.2, linestyle=(0, (5, 3)))
    axes.axhline(silence, color=style.GREY, linewidth=1.2, linestyle=(0, (1, 2)))
    axes.plot(TOLLS, curve, color=style.BLUE, linewidth=2.5, zorder=3)
    axes.plot(walk, np.interp(walk, TOLLS, curve), "o", color=style.PAPER, markeredgecolor=style.BLUE, zorder=4)
    axes.plot([0], curve[:1], "o", color=style.VERMILION, markersize=11, zorder=5, clip_on=False)
    axes.plot([toll], [best], "o", color=style.BLUE, markersize=11, zorder=5)
    axes.set_xlim(-0.8, 50)
    axes.set_ylim(86, 124)
    words = dict(ha="left", size=10, weight="bold")
    style.write(
        axes, 0, curve[0], f"told every road's time: {curve[0]:.0f} minutes", style.VERMILION, by=(13, 9), **words
    )
    style.write(axes, toll, best, f"with a toll of {toll:.0f}: {best:.0f} minutes", style.BLUE, by=(-8, 38), **words)
    axes.annotate("", (toll, best + 0.9), (toll, best + 5.4), arrowprops=dict(arrowstyle="-", color=style.BLUE))
    style.write(axes, 50, silence, f"told nothing: {silence:.0f}", style.MUTED, by=(0, 8), ha="right")
    style.write(axes, 50, best, f"planner: {best:.0f}", style.GREEN, by=(0, -9), ha="right")
    style.write(
        axes, walk[1], np.interp(walk[1], TOLLS, curve), "steps of the gradient", style.MUTED, by=(10, 6), ha="left"
    )
    style.ticks(axes.xaxis, range(0, 51, 10), [str(t) for t in range(0, 51, 10)])
    style.ticks(axes.yaxis, range(90, 121, 10), [str(t) for t in range(90, 121, 10)])
    style.name_axes(axes, "toll on the shortcut (worth so many minutes)", "minutes on the road, everyone alike")
    return sheet.figure


def main():
    """Print the tolls tried and save the picture."""
    network = Routing.braess()
    silence, best = (HOUR * outcome.total_time for outcome in (network.silence(), network.plan()))
    curve, certificates = np.array([minutes(network, toll) for toll in TOLLS]).T
    walk, dearer = follow_gradient(network), pigou(network)
    for toll in walk:
        print(f"toll {toll:5.2f}   {minutes(network, toll)[0]:7.3f} minutes")
    print(f"told nothing {silence:.2f}, told every time {curve[0]:.2f}, the planner {best:.2f}")
    print(f"Pigou's tolls make the way through the shortcut dearer by {dearer:.2f}, with which all need", end=" ")
    print(f"{minutes(network, dearer)[0]:.3f}")
    print(style.save(draw(curve, walk, silence, best, certificates.max(), dearer), (sys.argv[1:] or ["toll.png"])[0]))


if __name__ == "__main__":
    main()
