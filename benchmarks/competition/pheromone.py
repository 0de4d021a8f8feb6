"""Trails on the edges from tokens to experts as the router, beside prices (CRITERIA.md, f).

A token's type v is the character it ends with. level [types, experts], evaporation rho, floor and ceiling as in
`signals.pheromone`:

    level_vj <- min(1, max(floor, (1 - rho) level_vj + rho d_vj))     d_vj: the share of v's gains in the batch that came by j

for the types that were met; a gain is what an expert takes off the public model's loss, at least 0.
"""

from __future__ import annotations

from benchmarks import harness
from benchmarks.competition import capacity, inputs
from benchmarks.competition.routed import Judged, Rows, Shape, Terms
from benchmarks.competition.trials import Arm, Claim, Found, Question, answered, arm, found_at

EMBED = 12


def of_types(judged: Judged, rows: Rows, terms: Terms) -> Found:
    """Loss, how even loads are, and what the expert says of the type."""
    from catallax.measures import specialisation as measured

    choice = capacity.wanted(judged, terms)
    counts = measured.together(rows.kind, choice, parts=8)
    return {
        **capacity.outcome(judged, choice),
        "MaxVio": measured.max_violation(counts.sum(0)),
        "dead": float(measured.dead(counts.sum(0))),
        "MI(type; expert)": measured.mutual_information(counts),
    }


def on_edges(seeds: tuple[int, ...], steps: int, widths: tuple[int, ...]) -> harness.Table:
    """(f)"""
    known = inputs.characters()[1]

    def rows(seed: int, test: bool) -> tuple[Rows, Rows]:
        return inputs.text(seed, test=test)

    def made(units: int) -> tuple[Question, list[Arm]]:
        shape = Shape(hidden=units, classes=known, types=known, embed=EMBED, batch=256)
        arms = [
            arm("pheromone"),
            arm("price", "price, table", reads=0.0, table=1.0),
            arm("price", "price, input and table", table=1.0),
            arm("auxiliary", "auxiliary, table", reads=0.0, table=1.0),
            arm("hash"),
            arm("random"),
            arm("net", "price, table, net gate (post hoc)", reads=0.0, table=1.0),
        ]
        return Question("pheromone", shape, rows, of_types, "log-loss", seeds, steps), arms

    claims = [
        Claim("", "pheromone", ["hash", "random", "price, table"], "log-loss"),
        Claim("", "price, table", ["hash", "random"], "log-loss"),
        Claim("", "price, table, net gate (post hoc)", ["hash", "random", "auxiliary, table"], "log-loss"),
        Claim("Beside an auxiliary loss.", "price, table", ["auxiliary, table"], "log-loss"),
    ]
    by_width = {w: found_at(made, w) for w in widths}
    return answered("(f) Pheromone on edges from characters to experts", by_width, "log-loss", "pheromone", claims)
