"""The systems that the command line knows by name: the example that ships, and how others are read or drawn.

Nothing is imported before it is asked for: `catallax --help` and `catallax list` load no JAX.
"""

import dataclasses
import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from catallax.cli import experts, teaching, together, tours
from catallax.core.errors import BadInput


class Search(NamedTuple):
    """A run that goes on for as long as one likes, and is judged by what it has found: by clock, too, and to no rest.

    `seconds`: where nobody says how long; `words(problem)`: made before the first round, says what recorded values mean;
    `judged(outcome, optimum)`: the finding, entries for the JSON object, and notes.
    """

    seconds: float
    words: Callable[[Any], Callable[[dict], str]]
    judged: Callable[[Any, float | None], tuple[str, dict[str, Any], list[str]]]


class School(NamedTuple):
    """A system of layers or experts that learn, in numbers of 32 bits: it is run for its epochs, under a signal that has a name.

    `told(problem, signal)`: the same under another signal; `parts(problem)`: the same seen as what can be taken away.
    """

    told: Callable[[Any, str], Any]
    parts: Callable[[Any], Any]


class System(NamedTuple):
    """A name's meaning: a sentence, the example, what to cite (keys of `cli.references`); and, where there is such a thing, the
    columns of its files, how to read one, problems drawn at random (seed -> problem), how it is told in few bits, files of
    its own, what is said of a search, and how a school is told.
    """

    summary: str
    example: Callable[[], Any]
    sources: tuple[str, ...]
    columns: str = ""
    read: Callable[[Path], Any] | None = None
    drawn: Callable[[int], Any] | None = None
    narrow: Callable[[Any], Any] | None = None  # the same problem, told in a way that few bits can carry
    write: Callable[[Any, Any, str, Path], None] | None = None  # (problem, outcome, name, folder): beside a run's files
    search: Search | None = None
    school: School | None = None
    ends: bool = False  # it is run for as many rounds as the problem itself says


def economy() -> Any:
    """The wing, loaded late."""
    from catallax import economy

    return economy


def cluster() -> Path:
    """The bids that the package ships: who wants which kind of machine."""
    return Path(__file__).parent.parent / "economy" / "cluster.csv"


def market(path: Path) -> Any:
    """Buyers with budgets, from a file of bids."""
    from catallax.economy.bids import read_bids

    bids = read_bids(path)
    return economy().Fisher(bids.valuations, bids.budgets, bids.supply, names=bids.names, goods=bids.goods)


def answered_by_bids(market: Any) -> Any:
    """Buyers of linear wants who answer prices by bids: the path of bundles, which is quicker, needs all bits."""
    return dataclasses.replace(market, law="proportional-response")


def drawn_market(seed: int, buyers: int = 8, goods: int = 4) -> Any:
    """A random market with budgets."""
    import numpy as np

    random = np.random.default_rng(seed)
    return economy().Fisher(random.lognormal(size=(buyers, goods)), random.random(buyers) + 0.5, np.ones(goods))


def tour(path: Path | None = None) -> Any:
    """Cities of a file, or the capitals of Europe with few ants, so that questions about them take seconds."""
    from catallax.colony.example import capitals
    from catallax.colony.tour import Tour

    return Tour(capitals(), ants=20) if path is None else Tour(path)


def drawn_tour(seed: int, cities: int = 60) -> Any:
    """Cities at random in a square."""
    import numpy as np

    from catallax.colony.tour import Tour

    return Tour(np.random.default_rng(seed).random((cities, 2)))


def double_bridge() -> Any:
    """Two branches, one twice as long, of twenty colonies."""
    from catallax.colony.shortest_path import ShortestPath

    return ShortestPath.double_bridge(colonies=20)


def foraging() -> Any:
    """A nest and three piles of food."""
    from catallax.colony.foraging import Foraging

    return Foraging()


def slime() -> Any:
    """A plasmodium between five places of food."""
    from catallax.colony.slime import Slime

    return Slime(1000, (96, 96), food=[(20, 20), (75, 24), (48, 50), (22, 76), (74, 72)])


def collective() -> Any:
    """The wing, loaded late."""
    from catallax import collective

    return collective


def memory() -> Any:
    """Eight patterns at random on a hundred neurons, and one of them with a tenth of it turned over."""
    import numpy as np

    from catallax.networks.hopfield import Hopfield

    random = np.random.default_rng(0)
    patterns = random.choice([-1, 1], size=(8, 100))
    return Hopfield(patterns, cue=np.where(random.random(100) < 0.1, -patterns[0], patterns[0]))


def crowd_of_neurons() -> Any:
    """A wave to be learnt by a two-layer network of 64 neurons."""
    import numpy as np

    from catallax.networks.mean_field import TwoLayer

    x = np.linspace(-2, 2, 64)[:, None]
    return TwoLayer(x, np.sin(2 * x[:, 0]), neurons=64)


def patches(seed: int = 0) -> Any:
    """Patches that are mixtures of what three neurons look for, and a little noise."""
    from catallax.networks.sparse.problem import example

    return example(seed=seed)


SYSTEMS = {
    "exchange": System(
        "traders exchange what they own at prices: how much of the price need they be told?",
        lambda: economy().Exchange.example(),
        ("arrow1954existence", "debreu1951coefficient", "shapley1977trade", "dubey1978theory"),
        "agent,endowment:<good>...,taste:<good>...[,elasticity]",
        lambda path: economy().Exchange.read(path),
        lambda seed: economy().Exchange.drawn(seed),
    ),
    "fisher": System(
        "buyers with budgets share goods in fixed supply: jobs and the kinds of machine that suit them",
        lambda: market(cluster()),
        ("eisenberg1959consensus",),
        "buyer[,budget],<good>... or buyer,good,value",
        market,
        drawn_market,
        answered_by_bids,
    ),
    "auction": System(
        "buyers and sellers who bid at random, within their budgets, and an order book",
        lambda: economy().DoubleAuction.example(),
        ("gode1993allocative",),
        drawn=lambda seed: economy().DoubleAuction.drawn(seed),
    ),
    "courses": System(
        "students share seats in courses, at prices, from nearly equal budgets",
        lambda: economy().Courses.drawn(0),
        ("budish2011combinatorial",),
        "JSON as fairpyx writes it: valuations, item_capacities, agent_capacities",
        lambda path: economy().Courses.read(path),
        lambda seed: economy().Courses.drawn(seed),
    ),
    "prisoners": System(
        "the prisoners' dilemma: to defect is best whatever the other does, and both would rather cooperate",
        lambda: economy().textbook.prisoners_dilemma(),
        ("hart2000simple",),
    ),
    "stag-hunt": System(
        "a stag takes two, a hare can be had alone: two equilibria, one of them better for all",
        lambda: economy().textbook.stag_hunt(),
        ("hart2000simple",),
    ),
    "pennies": System(
        "matching pennies: one wants the same side, the other another, and both must be unpredictable",
        lambda: economy().textbook.matching_pennies(),
        ("hart2000simple",),
    ),
    "congestion": System(
        "four players choose between two roads that are slower, the more there are on them",
        lambda: economy().textbook.congestion(4, [1.0, 2.0], [1.0, 0.0]),
        ("hart2000simple", "rosenthal1973class"),
    ),
    "cournot": System(
        "two firms choose how much to bring to market: the price falls in what both bring",
        lambda: economy().textbook.cournot(),
        ("hart2000simple", "cournot1838recherches"),
    ),
    "bertrand": System(
        "two firms choose a price, and the lower takes all",
        lambda: economy().textbook.bertrand(),
        ("hart2000simple", "bertrand1883theorie"),
    ),
    "pigou": System(
        "two roads, one slower the more take it, and two dispatchers: all who hear the times are 4/3 as long on the way",
        lambda: economy().Routing.pigou(2),
        ("wardrop1952some", "roughgarden2002selfish"),
    ),
    "braess": System(
        "a shortcut, once all know of it, makes all of them later: 4/3 of the best, and later than with no news at all",
        lambda: economy().Routing.braess(4),
        ("wardrop1952some", "braess1968paradoxon", "roughgarden2002selfish"),
    ),
    "smoke": System(
        "eight heat with coal in one valley: prices alone leave out what the smoke does to the others",
        lambda: economy().Externality.example(),
        ("pigou1920economics",),
    ),
    "colony": System(
        "ants change one tour in turn, and smell how long each part of it has stayed: the shortest way through all cities",
        tour,
        (
            "dorigo2004ant",
            "stuetzle2000maxmin",
            "skinderowicz2022improving",
            "lin1965computer",
            "martin1991large",
            "held1970traveling",
            "reinelt1991tsplib",
        ),
        "TSPLIB (.tsp, .atsp), or name,x,y or name,lat,lon, or a square of distances named in its first row and column",
        tour,
        drawn_tour,
        write=tours.write,
        search=Search(tours.SECONDS, tours.words, tours.judged),
    ),
    "bridge": System(
        "ants between nest and food, over a short branch and a long one: which do they tread out?",
        double_bridge,
        ("goss1989selforganized", "deneubourg1990selforganizing"),
    ),
    "foraging": System(
        "ants that look for food, and lay a trail on the way home",
        foraging,
        ("resnick1994turtles",),
    ),
    "slime": System(
        "a slime mould: particles that follow, and lay, one trail, and come to be a net",
        slime,
        ("jones2010characteristics",),
    ),
    "jury": System(
        "eleven who are right more often than not, and a majority: what does a vote make of what each has seen?",
        lambda: collective().Jury.example(),
        ("condorcet1785essai", "nitzan1982optimal", "bikhchandani1992theory", "feddersen1998convicting"),
        "[juror,]competence[,weight][,abstention]",
        lambda path: collective().Jury.read(path),
        lambda seed: collective().Jury.drawn(seed),
    ),
    "unanimity": System(
        "twelve jurors who must all agree to convict: worse than one alone, and worst for the innocent once they reckon with it",
        lambda: collective().Jury.unanimous(),
        ("feddersen1998convicting",),
    ),
    "prediction-market": System(
        "traders who know a little each, and a price that says what they know together",
        lambda: collective().PredictionMarket.example(),
        ("storkey2011machine", "hanson2003combinatorial", "beygelzimer2012learning"),
        drawn=lambda seed: collective().PredictionMarket.drawn(seed, utility="cara", mechanism="lmsr", liquidity=2.0),
    ),
    "bluff": System(
        "two traders before a market maker, one of whom moves twice: when does the truth pay?",
        lambda: collective().PredictionMarket.bluff(),
        ("chen2010gaming", "dimitrov2008nonmyopic"),
    ),
    "teaching": System(
        "layers of a network, and what each is told: gradients, random feedback, labels, or nothing",
        teaching.example,
        teaching.SOURCES,
        "<input>...,label (the last column, or y or target), or npz with X [rows, inputs] and y [rows]",
        teaching.read,
        write=teaching.write,
        school=School(lambda problem, signal: problem.by(signal), lambda problem: problem.units()),
    ),
    "experts": System(
        "experts of a network share its work: by lot, by an auxiliary loss, by price, or each for its own profit",
        experts.example,
        experts.SOURCES,
        "<input>...,label (the last column, or y or target), or npz with X [rows, inputs] and y [rows]",
        experts.read,
        school=School(lambda problem, signal: problem.by(signal), lambda problem: problem),
    ),
    "together": System(
        "members train one model together, each on rows of its own: they hear what all have learnt, and not what from",
        together.example,
        together.SOURCES,
        together.COLUMNS,
        together.read,
        drawn=together.example,
        write=together.write,
        ends=True,
    ),
    "sparse": System(
        "neurons that inhibit each other by what is still unexplained: a sparse code",
        patches,
        ("rozell2008sparse", "olshausen1996emergence"),
        drawn=patches,
    ),
    "hopfield": System(
        "neurons that recall a pattern, each from the overlaps with what is remembered",
        memory,
        ("hopfield1982neural", "ramsauer2021hopfield"),
    ),
    "two-layer": System(
        "the neurons of a wide network, each told the residual that all leave together",
        crowd_of_neurons,
        ("mei2018mean", "chizat2018global"),
    ),
}


def find(name: str) -> System:
    """The system of that name. Raises `BadInput` where there is none."""
    if name not in SYSTEMS:
        near = difflib.get_close_matches(name, SYSTEMS, n=3)
        near += [known for known in SYSTEMS if known not in near and name and (name in known or known in name)]
        hint = f"did you mean {' or '.join(near)}" if near else f"there are {', '.join(SYSTEMS)}"
        raise BadInput(f"there is no system {name!r}: {hint} (see `catallax list`)")
    return SYSTEMS[name]


def load(name: str, path: Path | None) -> Any:
    """The problem of that name, from a file or as shipped. Raises `BadInput` for a name or a file that is none."""
    system = find(name)
    if path is None:
        return system.example()
    if system.read is None:
        raise BadInput(f"{name} is ready made and reads no file: leave {path} out, or build your own in Python")
    return system.read(path)


def floats(name: str) -> int:
    """Bits of the numbers that a system is computed in."""
    return 64 if find(name).school is None else 32


def draw(name: str, seed: int) -> Any:
    """A random problem of that name. Raises `BadInput` where there is none."""
    system = find(name)
    if system.drawn is None:
        random = ", ".join(known for known, other in SYSTEMS.items() if other.drawn is not None)
        raise BadInput(f"{name} is ready made and cannot be drawn at random: there are draws of {random}")
    return system.drawn(seed)
