"""`list`, `report`, `cite`: what there is, the page of what was found, and what to cite."""

from pathlib import Path
from typing import Annotated

import typer

from catallax.cli import session
from catallax.cli.questions import Json
from catallax.cli.systems import SYSTEMS, find

LIBRARY = """@software{catallax,
  title = {catallax: how much should each part be told?},
  author = {{The catallax authors}},
  version = {VERSION},
  year = {2026}
}"""
METHODS = {
    "exchange": """@article{arrow1954existence,
  author = {Arrow, Kenneth J. and Debreu, Gerard},
  title = {Existence of an Equilibrium for a Competitive Economy},
  journal = {Econometrica}, volume = {22}, number = {3}, pages = {265--290}, year = {1954}
}
@article{debreu1951coefficient,
  author = {Debreu, Gerard},
  title = {The Coefficient of Resource Utilization},
  journal = {Econometrica}, volume = {19}, number = {3}, pages = {273--292}, year = {1951}
}
@article{shapley1977trade,
  author = {Shapley, Lloyd and Shubik, Martin},
  title = {Trade Using One Commodity as a Means of Payment},
  journal = {Journal of Political Economy}, volume = {85}, number = {5}, pages = {937--968}, year = {1977}
}
@article{dubey1978theory,
  author = {Dubey, Pradeep and Shubik, Martin},
  title = {A Theory of Money and Financial Institutions: 28. The Non-Cooperative Equilibria of a Closed Trading
           Economy with Market Supply and Bidding Strategies},
  journal = {Journal of Economic Theory}, volume = {17}, number = {1}, pages = {1--20}, year = {1978}
}""",
}


def systems(as_json: Json = False) -> None:
    """The systems there are, and the columns of their files."""
    with session.ending():
        if as_json:
            import json

            known = {name: dict(summary=system.summary, columns=system.columns) for name, system in SYSTEMS.items()}
            print(json.dumps(dict(schema=session.SCHEMA, command="list", systems=known), indent=2))
            return
        for name, system in SYSTEMS.items():
            print(f"{name}\n  {system.summary}\n  a CSV file, one row an agent: {system.columns}")


def report(folder: Annotated[Path, typer.Argument(help="a folder that questions wrote with --out")]) -> None:
    """Make report.html again, of all the answers in a folder."""
    with session.ending():
        from catallax.cli.folders import report as make

        print(make(folder))


def cite(system: Annotated[str | None, typer.Argument(help="which system (default: all)")] = None) -> None:
    """BibTeX for the library and for the methods of a system."""
    with session.ending():
        if system is not None:
            find(system)
        import catallax

        print(LIBRARY.replace("VERSION", catallax.__version__))
        for name in [system] if system else METHODS:
            print(METHODS[name])
