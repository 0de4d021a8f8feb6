"""`catallax forecast forecasts.csv`: one probability a question out of many people's, and whom the market came to trust.

`--out` writes prices.csv (`question,forecasts,price[:option],outcome`), history.csv (every forecast and the price right
after it), people.csv (`user,forecasts,tolerance`), forecast.png, and what every command writes: outcome.json, report.html.
"""

import hashlib
import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catallax.cli import session
from catallax.cli.questions import Json, give

if TYPE_CHECKING:
    from catallax.collective.forecasts import Forecasts
    from catallax.core.answer import Answer
    from catallax.core.scene import Scene

MOST = 20  # people drawn


def forecast(
    file: Annotated[
        Path, typer.Argument(help="a CSV file: question,user,time,probability[,outcome][,resolved][,option]")
    ],
    out: Annotated[Path | None, typer.Option(help="a folder for prices, history, people, report.html")] = None,
    as_json: Json = False,
) -> None:
    """Pool people's dated forecasts: a market that learns whom to trust from what has been resolved."""
    with session.ending():
        from catallax.cli import folders
        from catallax.collective.forecasts import Forecasts
        from catallax.io.forecasts import read_forecasts

        rows = read_forecasts(file)
        folders.check(out)
        market = Forecasts().fit(rows)
        answer = answer_of(market, file)
        result = content(market, answer, file)
        if out is not None:
            with folders.made(out):
                write(market, answer, out)
                page = folders.save(answer, result, out, shlex.join(["catallax", "forecast", str(file)]))
            session.say(f"report: {page}")
        give(answer, result, as_json)


# --- what is said of it ---


def answer_of(market: "Forecasts", file: Path) -> "Answer":
    """One row a question, open ones first; the finding, the notes and the pictures."""
    from catallax.core.answer import Answer

    rows = sorted(questions(market), key=lambda row: row["outcome"] is not None)
    found = scores(market)
    learnt = dict(
        extremising=market.extremising_,
        fading=market.fading_,
        maker=market.prior_,
        tolerance_of_strangers=market.tolerance_of_strangers_,
    )
    facts = dict(questions=len(rows), people=len(market.tolerance_), resolved=len(market.closing_.question)) | learnt
    facts |= {f"brier_{name}": value for name, value in found.items()}
    notes = [*market.notes_, *small_note(market)]
    return Answer("forecast", f"forecasts ({file.name})", rows, headline(market, found), notes, facts, scenes(market))


def questions(market: "Forecasts") -> list[dict[str, Any]]:
    """Rows: a question, how many forecasts count, its price now or at its end, its outcome."""
    options, closing = market.options_, market.closing_
    ended = dict(zip(closing.question, closing.outcome.tolist(), strict=True))
    counts = Counter(market.history_.question)
    rows = []
    for name, price in zip(options, market.predict(), strict=True):
        row: dict[str, Any] = dict(question=name, forecasts=counts[name])
        if price.ndim:
            named = dict(zip(options[name], price.tolist()))
            best = max(named, key=lambda option: named[option])
            row |= dict(favourite=best, price=named[best], prices=named)
            row["outcome"] = options[name][ended[name]] if name in ended else None
        else:
            row |= dict(price=float(price), outcome=ended.get(name))
        rows.append(row)
    return rows


def scores(market: "Forecasts") -> dict[str, float]:
    """Brier scores at the ends of questions: of the market, and of the mean and the latest of what stood (of several options
    half the sum over them, which is the usual score where there are two)."""
    import numpy as np

    history, closing = market.history_, market.closing_
    stand: dict[Any, dict[Any, Any]] = {}
    for question, user, said in zip(history.question, history.user, history.probability, strict=True):
        people = stand.setdefault(question, {})
        people.pop(user, None)
        people[user] = said
    found: dict[str, list[float]] = {"market": [], "mean": [], "latest": []}
    for question, outcome, price in zip(closing.question, closing.outcome, closing.price, strict=True):
        said = list(stand[question].values())
        for name, p in dict(market=price, mean=np.mean(said, axis=0), latest=said[-1]).items():
            truth = outcome if np.ndim(p) == 0 else np.eye(len(p))[outcome]
            found[name].append(float(np.nansum(np.square(p - truth)) / (1 if np.ndim(p) == 0 else 2)))
    return {name: float(np.mean(values)) for name, values in found.items() if values}


def headline(market: "Forecasts", found: dict[str, float]) -> str:
    """The finding, one sentence."""
    resolved, count = len(market.closing_.question), len(market.options_)
    said, people = len(market.history_.question), len(market.tolerance_)
    start = f"{count:,} question{'s' * (count != 1)}, {said:,} forecasts, {people:,} people"
    if not found:
        return f"{start}: none has been resolved, so nobody has been told apart."
    ours, mean, latest = (f"{found[name]:.4f}" for name in ("market", "mean", "latest"))
    return f"{start}: Brier {ours} on {resolved:,} resolved (mean {mean}, latest {latest})."


def small_note(market: "Forecasts") -> list[str]:
    """A sentence where so few have been resolved that a score says little."""
    resolved = len(market.closing_.question)
    return [f"resolved questions: {resolved:,}, so few that the scores say little"] if 0 < resolved < 100 else []


def scenes(market: "Forecasts") -> tuple["Scene", ...]:
    """Whom the market trusts, and the price of the question that most was said of."""
    import numpy as np

    from catallax.core.scene import Bars, Scene

    counts = Counter(market.history_.question)
    if not counts:
        return ()
    trusted = sorted(market.tolerance_.items(), key=lambda pair: -pair[1])[:MOST]
    labels, values = [user for user, _ in trusted], np.array([value for _, value in trusted])
    title = "Whom the market trusts" + f": the first {MOST} of {len(market.tolerance_):,}" * (len(labels) == MOST)
    bars = Bars(labels, values, "risk tolerance, of the maker's liquidity")
    return Scene(title, [bars]), market.scene(counts.most_common(1)[0][0])


# --- what is written ---


def content(market: "Forecasts", answer: "Answer", file: Path) -> dict[str, Any]:
    """The JSON object."""
    rows = {str(row["question"]): row.get("prices", row["price"]) for row in answer.rows}
    return dict(
        schema=session.SCHEMA,
        command="forecast",
        file=str(file),
        versions=session.versions(),
        headline=answer.headline,
        facts=answer.facts,
        prices=rows,
        outcomes={str(row["question"]): row["outcome"] for row in answer.rows},
        tolerance={str(user): value for user, value in market.tolerance_.items()},
        notes=answer.notes,
        digest=hashlib.sha256(market.history_.price.astype("<f8").tobytes()).hexdigest()[:16],
    )


def write(market: "Forecasts", answer: "Answer", out: Path) -> None:
    """The tables and the picture."""
    import numpy as np

    from catallax.io.writing import write_table
    from catallax.view.scene import draw
    from catallax.view.style import save

    rows = answer.rows
    columns = {name: [row[name] for row in rows] for name in ("question", "forecasts")}
    outcome = ["" if row["outcome"] is None else str(row["outcome"]) for row in rows]
    favourite = {"favourite": [row["favourite"] for row in rows]} if rows and "favourite" in rows[0] else {}
    write_table(
        out / "prices.csv", {**columns, **favourite, "price": [row["price"] for row in rows], "outcome": outcome}
    )
    history = market.history_
    told: dict[str, Any] = {"question": history.question, "user": history.user, "time": history.time}
    for name, array in (("probability", history.probability), ("price", history.price)):
        wide = array.ndim == 2
        told |= {f"{name}:{k + 1}": array[:, k] for k in range(array.shape[1])} if wide else {name: array}
    write_table(out / "history.csv", told)
    counts = Counter(history.user)
    people = sorted(market.tolerance_.items(), key=lambda pair: -pair[1])
    names = [user for user, _ in people]
    said = np.array([counts[user] for user in names])
    tolerance = np.array([value for _, value in people])
    write_table(out / "people.csv", {"user": names, "forecasts": said, "tolerance": tolerance})
    if answer.scenes:
        save(draw(answer.scenes[0]), out / "forecast.png")
