"""`list`, `report`, `cite`: what there is, the page of what was found, and what to cite."""

from pathlib import Path
from typing import Annotated

import typer

from catallax.cli import learners, session
from catallax.cli.questions import Json
from catallax.cli.references import LIBRARY, REFERENCES
from catallax.cli.systems import SYSTEMS, find


def systems(as_json: Json = False) -> None:
    """The systems there are, and the columns of their files."""
    with session.ending():
        if as_json:
            import json

            known = {
                name: dict(summary=system.summary, columns=system.columns or None, draws=system.drawn is not None)
                for name, system in SYSTEMS.items()
            }
            print(json.dumps(dict(schema=session.SCHEMA, command="list", systems=known), indent=2))
            return
        wide = max(map(len, SYSTEMS))
        for name, system in SYSTEMS.items():
            print(f"{name:{wide}}  {system.summary}")
        print("\nEach ships with an example: `catallax compare braess`. From a file, one row an agent:\n")
        for name, system in SYSTEMS.items():
            if system.columns:
                print(f"{name:{wide}}  {system.columns}")
        print(
            "\nFiles of their own: `catallax allocate`, `fit`, `label`, `forecast`, `compare learners`; see their --help."
        )


def report(folder: Annotated[Path, typer.Argument(help="a folder that questions wrote with --out")]) -> None:
    """Make report.html again, of all the answers in a folder."""
    with session.ending():
        from catallax.cli.folders import report as make

        print(make(folder))


def cite(system: Annotated[str | None, typer.Argument(help="which system (default: all)")] = None) -> None:
    """BibTeX for the library and for the methods of a system."""
    with session.ending():
        if system == learners.NAME:
            keys = learners.SOURCES
        else:
            keys = list(REFERENCES) if system is None else find(system).sources
        import catallax

        print(LIBRARY.replace("VERSION", catallax.__version__))
        for key in keys:
            print(REFERENCES[key])
