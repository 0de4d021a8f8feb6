"""`catallax`: the verbs, and how they are found."""

from typing import Annotated

import typer

from catallax.cli import about, allocate, fit, forecast, label, merge, questions, runs, session

app = typer.Typer(
    help="How much should each part be told? From silence, through a few bits and an exact price, to full information.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("list")(about.systems)
app.command()(runs.run)
app.command()(runs.resume)
app.command()(questions.compare)
app.command()(questions.frontier)
app.command()(questions.lesion)
app.command()(questions.shock)
app.command()(questions.replicate)
app.command()(allocate.allocate)
app.command()(fit.fit)
app.command()(label.label)
app.command()(forecast.forecast)
app.command()(merge.merge)
app.command()(about.report)
app.command()(about.cite)


def version(asked: bool) -> None:
    """Prints the version and ends."""
    if asked:
        with session.ending():
            import catallax

            print(f"catallax {catallax.__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool | None, typer.Option("--version", help="the version", callback=version, is_eager=True)
    ] = False,
) -> None:
    """What comes before any verb."""


def main() -> None:
    """The console script."""
    app(prog_name="catallax")
