"""Voting rules for many options: what a vote adds up to depends on the rule (and no rule is fair in every way: K. Arrow 1951).

```python
cast = voting.ballots([[0, 1, 2], [1, 2, -1], [2, 1, 0]])       # options from the best on; -1: nothing more
voting.schulze(cast).winners                                    # all who are level; .winner raises where there are several
```

| rule | takes | chooses a Condorcet winner | monotone | independent of clones |
|---|---|---|---|---|
| `plurality`, `two_round` | ranked | no | yes, no | no |
| `instant_runoff` | ranked | no | no | yes |
| `borda` | ranked | no | yes | no |
| `copeland`, `minimax` | ranked | yes | yes | no |
| `schulze`, `ranked_pairs` | ranked | yes | yes | yes |
| `kemeny` (up to 12 options) | ranked | yes | yes | no |
| `approval`, `score` | [voters, options] | | yes | |

Ranked rules take `ballots(...)` or what it takes. Ties are reported, not broken, unless `tie_break` gives an order of options.
"""

from catallax.collective.ballots.pairs import condorcet_loser as condorcet_loser
from catallax.collective.ballots.pairs import condorcet_winner as condorcet_winner
from catallax.collective.ballots.pairs import copeland as copeland
from catallax.collective.ballots.pairs import kemeny as kemeny
from catallax.collective.ballots.pairs import minimax as minimax
from catallax.collective.ballots.pairs import ranked_pairs as ranked_pairs
from catallax.collective.ballots.pairs import schulze as schulze
from catallax.collective.ballots.pairs import smith_set as smith_set
from catallax.collective.ballots.paper import Ballots as Ballots
from catallax.collective.ballots.paper import Result as Result
from catallax.collective.ballots.paper import ballots as ballots
from catallax.collective.ballots.points import approval as approval
from catallax.collective.ballots.points import borda as borda
from catallax.collective.ballots.points import plurality as plurality
from catallax.collective.ballots.points import score as score
from catallax.collective.ballots.runoffs import instant_runoff as instant_runoff
from catallax.collective.ballots.runoffs import two_round as two_round

__all__ = [
    "Ballots",
    "Result",
    "approval",
    "ballots",
    "borda",
    "condorcet_loser",
    "condorcet_winner",
    "copeland",
    "instant_runoff",
    "kemeny",
    "minimax",
    "plurality",
    "ranked_pairs",
    "schulze",
    "score",
    "smith_set",
    "two_round",
]
