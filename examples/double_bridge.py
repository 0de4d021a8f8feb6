"""Two branches between nest and food, one twice as long: three colonies in five settle on the short one, though no ant compares.

A thousand colonies of the Argentine ant (attraction 20, exponent 2, an ant each way every two seconds, marks that do not
evaporate: Goss et al. 1989, Deneubourg et al. 1990) walk for 2,000 seconds. A colony has chosen a branch that has more than
four fifths of the traffic in the second half. Between equal branches each colony chooses one, either as often as the other.

The choice takes an exponent above 1: below, ants follow their noses too little to agree; far above, the first few ants decide.
A short branch that is opened after half an hour is not taken by anyone. Where marks evaporate fast enough, or ants turn back
on the way (the likelier the longer the road), its traffic rises to about even: colonies are set free, but hardly any chooses it.

    python examples/double_bridge.py [double_bridge.png] [colonies]
"""

import sys

import numpy as np

import catallax as cx
from catallax.colony.shortest_path import ShortestPath
from catallax.view import style

ANTS, SECONDS, HALF_AN_HOUR = 45, 2000, 1800  # each leaves every 90 s, so one every other second
RATIOS, EXPONENTS = (1.0, 1.4, 2.0), (0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
EVAPORATION, TURNING = (
    (0.0, 0.003, 0.006, 0.01, 0.015, 0.02, 0.03, 0.05),
    (0.0, 0.02, 0.04, 0.06, 0.08, 0.1),
)  # a second
COLOURS = {1.0: style.GREY, 1.4: style.GREEN, 2.0: style.BLUE}


def bridge(ratio, colonies, **facts):
    """Colonies at a bridge whose short branch takes 20 seconds."""
    return ShortestPath.double_bridge(ratio, ants=ANTS, colonies=colonies, **facts)


def late_share(problem, society, rounds, seed):
    """The short branch's share of the traffic in the second half of some rounds, [colonies]."""
    record = cx.Record(every=rounds // 2, passed=lambda s: s.signal.passed)
    passed = (cx.run(society, rounds, seed, record=record).record or {})["passed"]
    counted = (passed[2] - passed[1]).reshape(problem.colonies, 2, 2).sum(2)
    return counted[:, 0] / counted.sum(1)


def chosen(share):
    """The shares of colonies that chose the short branch, the long one, neither."""
    return np.array([(share > 0.8).mean(), (share < 0.2).mean(), ((share >= 0.2) & (share <= 0.8)).mean()])


def settled(ratio, exponent, colonies, seed=0):
    """The same for a bridge from the start."""
    problem = bridge(ratio, colonies, exponent=exponent)
    return chosen(late_share(problem, problem.society(), SECONDS, seed))


def opened(colonies, **facts):
    """The average share of the short branch, in the second half of 2,000 s after it is opened to colonies used to the long one."""
    problem = bridge(2.0, colonies, **facts)
    before = cx.run(problem.closed(0), HALF_AN_HOUR, 1)
    return late_share(problem, problem.carried(before.society), SECONDS, 2).mean()


def draw(table, forgetting, turning, colonies):
    """Choice against the exponent; the late short branch against evaporation and against turning."""
    short = table[2.0, 2.0][0]
    title = f"One branch twice as long: {short:.0%} of {colonies:,} colonies settle on the short one, by marks alone."
    caption = (
        "Chosen: more than 80 % of the traffic of the second half of 2,000 s; k = 20, n = 2 where not said otherwise. Right: the "
        "short branch was closed for 30 minutes; its average share of the traffic afterwards (even: neither)."
    )
    sheet = style.sheet(3.4, title, caption)
    left = sheet.axes(style.LEFT, 0.62, 3.3, 2.35)
    for ratio in RATIOS:
        curve = [table[ratio, n][0] for n in EXPONENTS]
        left.plot(EXPONENTS, curve, "-o", color=COLOURS[ratio], linewidth=2, markersize=4, clip_on=False)
        words = "equal" if ratio == 1 else f"1 : {ratio:g}"
        style.write(left, 4, curve[-1], words, COLOURS[ratio], by=(6, 0), ha="left")
    style.ticks(left.xaxis, EXPONENTS, [f"{n:g}" for n in EXPONENTS])
    style.name_axes(left, "exponent n of the choice", "colonies on the short branch")
    right = sheet.axes(4.75, 0.62, 3.0, 2.35)
    for rates, curve, colour, words in (
        (EVAPORATION, forgetting, style.VERMILION, "marks evaporate"),
        (TURNING, turning, style.BLUE, "ants turn back"),
    ):
        right.plot(rates, curve, "-o", color=colour, linewidth=2, markersize=4, clip_on=False)
        style.write(right, rates[-1], curve[-1], words, colour, by=(0, 9), ha="right")
    style.name_axes(right, "chance a second", "traffic on the short branch opened late")
    for axes in (left, right):
        axes.set_ylim(0, 1)
        style.ticks(axes.yaxis, (0, 0.5, 1), ("0 %", "50 %", "100 %"))
    return sheet.figure


def main():
    """Print who chose what, and save the picture."""
    colonies = int((sys.argv[2:] or ["1000"])[0])
    table = {(ratio, n): settled(ratio, n, colonies) for ratio in RATIOS for n in EXPONENTS}
    print("ratio  exponent   short    long   mixed")
    for (ratio, n), (short, long, mixed) in table.items():
        print(f"{ratio:5.1f}  {n:8.1f}  {short:6.1%}  {long:6.1%}  {mixed:6.1%}")
    few = max(1, colonies // 5)
    forgetting = [opened(few, evaporation=rate) for rate in EVAPORATION]
    turning = [opened(few, turning=rate) for rate in TURNING]
    for name, rates, curve in (("evaporation", EVAPORATION, forgetting), ("turning", TURNING, turning)):
        for rate, share in zip(rates, curve, strict=True):
            print(f"opened late, {name} {rate:.3f} a second: {share:.1%} of the traffic on the short branch")
    print(style.save(draw(table, forgetting, turning, colonies), (sys.argv[1:] or ["double_bridge.png"])[0]))


if __name__ == "__main__":
    main()
