"""`catallax allocate bids.csv`: who gets what at which prices, and how far from the best that is at most.

`--out` writes prices.csv (`good,price`) and allocation.csv (`buyer,<good>...`), prices.png, and what every command
writes: outcome.json and report.html.
"""

import hashlib
import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catallax.cli import session
from catallax.cli.questions import Json, give
from catallax.core.errors import BadInput

if TYPE_CHECKING:
    from catallax.core.answer import Answer
    from catallax.core.scene import Scene
    from catallax.economy.bids import Bids

BARS = 40  # goods whose price is drawn; of more, the dearest
SHARES = 12  # goods up to which the share sold is drawn too


def allocate(
    file: Annotated[Path, typer.Argument(help="bids, a CSV file: buyer[,budget],<good>... or buyer,good,value")],
    budgets: Annotated[str, typer.Option(help="the column of budgets (no such column: 1 each)")] = "budget",
    supply: Annotated[Path | None, typer.Option(help="a CSV file: good,supply (default: 1 of each)")] = None,
    utility: Annotated[str, typer.Option(help="linear, quasi-linear, ces, cobb-douglas or leontief")] = "linear",
    elasticity: Annotated[float | None, typer.Option(help="of substitution, for ces")] = None,
    caps: Annotated[str | None, typer.Option(help="the column of caps: units in all that a buyer may hold")] = None,
    limit: Annotated[float | None, typer.Option(help="the most units of one good that one buyer may hold")] = None,
    tolerance: Annotated[float, typer.Option(help="the gap that counts as settled")] = 1e-6,
    out: Annotated[Path | None, typer.Option(help="a folder for prices, allocation, outcome.json, report.html")] = None,
    as_json: Json = False,
) -> None:
    """Share scarce goods by prices: budgets and bids in, prices, bundles and a certificate out."""
    with session.ending():
        check_options(elasticity, tolerance, limit)
        session.prepare()
        from catallax.cli import folders
        from catallax.economy import allocate as go
        from catallax.economy.bids import read_bids
        from catallax.economy.fisher import KINDS

        if utility not in KINDS:
            raise BadInput(f"--utility is {utility!r}: give one of {', '.join(KINDS)}")
        if utility == "ces" and elasticity is None:
            raise BadInput("--utility ces needs an elasticity of substitution: give --elasticity, as in 0.5")
        if utility != "ces" and elasticity is not None:
            raise BadInput(f"--elasticity is only for ces, and --utility is {utility}: leave one of them out")
        if (caps is not None or limit is not None) and utility not in KINDS[:2]:
            raise BadInput(f"--caps and --limit go with linear and quasi-linear, here {utility}: leave them out")
        bids = read_bids(file, budgets, supply, caps)
        folders.check(out)
        outcome = go(
            bids.valuations,
            bids.budgets,
            bids.supply,
            utility,
            elasticity,
            tolerance,
            cap=bids.caps,
            limit=limit,
            names=bids.names,
            goods=bids.goods,
        )
        given = dict(budgets=budgets, supply=supply, utility=utility, elasticity=elasticity)
        again = command_line(file, given | dict(caps=caps, limit=limit, tolerance=tolerance))
        options = dict(utility=utility, elasticity=elasticity, caps=caps, limit=limit, tolerance=tolerance)
        answer = answer_of(bids, outcome, file, options)
        result = content(bids, outcome, answer, file)
        if out is not None:
            with folders.made(out):
                write(bids, outcome, answer, out)
                page = folders.save(answer, result, out, again)
            session.say(f"report: {page}")
        give(answer, result, as_json)
        code = session.CODE.get(str(outcome.status), session.FAILED)
        if code != session.OK:
            session.say(f"catallax: {outcome.status}: {outcome.status.sentence}")
    raise typer.Exit(code)


def check_options(elasticity: float | None, tolerance: float, limit: float | None) -> None:
    """Numbers that a market can be asked with. Raises `BadInput`."""
    if not 0 < tolerance < math.inf:
        raise BadInput(f"--tolerance is {tolerance:g}: give a positive number")
    if elasticity is not None and not 0 <= elasticity < math.inf:
        raise BadInput(f"--elasticity is {elasticity:g}: give a finite number of at least 0")
    if limit is not None and not limit > 0:
        raise BadInput(f"--limit is {limit:g}: give a positive number")


# --- what is said of it ---


def answer_of(bids: "Bids", outcome: Any, file: Path, options: dict[str, Any]) -> "Answer":
    """One row a good, the finding, the notes and the picture."""
    from catallax.core.answer import Answer

    sold = outcome.allocation.sum(axis=0)
    columns = (bids.goods, bids.supply.tolist(), outcome.prices.tolist(), sold.tolist())
    rows = [dict(good=g, supply=s, price=p, sold=x) for g, s, p, x in zip(*columns, strict=True)]
    facts = {name: value for name, value in options.items() if value is not None}
    facts |= dict(buyers=len(bids.names), goods=len(bids.goods), status=str(outcome.status))
    facts |= {name: getattr(outcome, name) for name in ("gap", "worst_buyer", "clearing_error", "budget_error")}
    facts |= dict(rounds=outcome.rounds, seconds=outcome.seconds)
    notes = [*outcome.notes, *kept_note(bids, outcome)]
    return Answer(
        "allocate", f"market ({file.name})", rows, headline(bids, outcome), notes, facts, (scene(bids, outcome, sold),)
    )


def headline(bids: "Bids", outcome: Any) -> str:
    """The finding, one sentence."""
    settled = str(outcome.status) == "settled"
    end = "certified" if settled else f"{outcome.status} after {outcome.rounds:,} {plural('round', outcome.rounds)}"
    buyers, goods = len(bids.names), len(bids.goods)
    return (
        f"{buyers:,} {plural('buyer', buyers)} share{'s' * (buyers == 1)} {goods:,} {plural('good', goods)}: "
        f"gap {short(outcome.gap)}, {end}; worst-off buyer within {short(outcome.worst_buyer)} of its best."
    )


def plural(word: str, count: int) -> str:
    """The word for so many."""
    return word if count == 1 else f"{word}s"


def short(value: float) -> str:
    """A small number with two digits, rounded up: what bounds an error must not shrink as it is written."""
    if not math.isfinite(value):
        return "unknown"
    if value <= 0:
        return "0"
    power = math.floor(math.log10(value)) - 1
    digits = math.ceil(value / 10.0**power - 1e-9)
    whole = f"{digits * 10.0**power:.1e}"
    number, exponent = whole.split("e")
    return f"{float(whole):.2g}" if value >= 1e-3 else f"{number}e{int(exponent)}"


def kept_note(bids: "Bids", outcome: Any) -> list[str]:
    """A sentence where money was not spent."""
    from catallax.core.answer import text

    money, total = float(outcome.kept.sum()), float(bids.budgets[bids.valuations.any(axis=1)].sum())
    if not money > 1e-9 * total:
        return []
    buyers = int((outcome.kept > 1e-9 * bids.budgets).sum())
    return [f"{buyers:,} {plural('buyer', buyers)} kept {text(money)} of {text(total)} in money"]


def scene(bids: "Bids", outcome: Any, sold: Any) -> "Scene":
    """Prices, the dearest first; where goods are few, how much of each was sold."""
    import numpy as np

    from catallax.core.scene import Bars, Scene

    count = len(bids.goods)
    order = np.argsort(-outcome.prices, kind="stable")[:BARS]
    labels = [bids.goods[k] for k in order]
    title = "What a unit costs" if count <= BARS else f"What a unit costs: the {BARS} dearest of {count:,} goods"
    items = [Bars(labels, outcome.prices[order], "price, money a unit")]
    if count <= SHARES:
        items.append(Bars(labels, (100 * sold / bids.supply)[order], "sold, % of the supply"))
    return Scene(title, items)


# --- what is written ---


def content(bids: "Bids", outcome: Any, answer: "Answer", file: Path) -> dict[str, Any]:
    """The JSON object."""
    return dict(
        schema=session.SCHEMA,
        command="allocate",
        file=str(file),
        versions=session.versions(),
        status=str(outcome.status),
        headline=answer.headline,
        gap=outcome.gap,
        worst_buyer=outcome.worst_buyer,
        clearing_error=outcome.clearing_error,
        budget_error=outcome.budget_error,
        rounds=outcome.rounds,
        seconds=outcome.seconds,
        prices=dict(zip(bids.goods, outcome.prices.tolist(), strict=True)),
        utilities=dict(zip(bids.names, outcome.utilities.tolist(), strict=True)),
        kept=dict(zip(bids.names, outcome.kept.tolist(), strict=True)),
        notes=answer.notes,
        digest=digest(outcome),
    )


def digest(outcome: Any) -> str:
    """A hash of status, prices, bundles and money kept, and not of the seconds that they took."""
    import numpy as np

    found = hashlib.sha256(str(outcome.status).encode())
    for array in (outcome.prices, outcome.allocation, outcome.kept):
        found.update(np.ascontiguousarray(array, "<f8").tobytes())
    return found.hexdigest()[:16]


def write(bids: "Bids", outcome: Any, answer: "Answer", out: Path) -> None:
    """The tables and the picture."""
    import numpy as np

    from catallax.io.writing import write_table
    from catallax.view.scene import draw
    from catallax.view.style import save

    write_table(out / "prices.csv", {"good": np.array(bids.goods), "price": outcome.prices})
    columns = dict(zip(bids.goods, outcome.allocation.T, strict=True))
    write_table(out / "allocation.csv", {"buyer": np.array(bids.names), **columns})
    save(draw(answer.scenes[0]), out / "prices.png")


DEFAULTS = dict(budgets="budget", supply=None, utility="linear", elasticity=None, caps=None, limit=None, tolerance=1e-6)


def command_line(file: Path, given: dict[str, Any]) -> str:
    """The command that gives this answer again."""
    words = ["catallax", "allocate", str(file)]
    for name, value in given.items():
        words += [] if value == DEFAULTS[name] else [f"--{name}", str(value)]
    return shlex.join(words)
