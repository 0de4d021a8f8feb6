"""One page for all that was found: a single HTML file that needs nothing else.

A section for each answer holds its headline, its picture, the rows behind it and the notes; the last
section says how the page was computed and which command makes it again. Pictures are inline SVG whose
colours are variables of the page, so that they follow its light or dark mode; text in them stays text.
There is no script, no font and no address to fetch, and a content security policy forbids them: a trader
may be called <script>. The file is written whole or not at all.
"""

import html
import io
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.answer import Answer, text
from . import style
from .plots import FIGURES, figure
from .scene import draw

if TYPE_CHECKING:
    import matplotlib.figure

ASKED = {
    "compare": "Who coordinates?",
    "frontier": "How much must each part be told?",
    "lesion": "Is there a master?",
    "shock": "Does it reorganise when the world changes?",
    "replicate": "Does influence vanish with numbers?",
    "sweep": "Is it so in other worlds of the kind?",
    "run": "What happened?",
    "allocate": "Who gets what, at which prices?",
    "label": "Who is right, and who can be trusted?",
    "learners": "Is there a master among what learns?",
    "experts": "Who decides what each expert works on?",
    "fit": "Does a market of models forecast better than they do?",
    "forecast": "What do all of them together say?",
}
SHOWN = ("signal", "measure", "population")  # facts that the pictures show already
LONGEST = 60  # rows of a table that are shown
OPEN = 8  # a table of so many rows is shown unfolded
VARIABLES = {
    style.INK: "ink", style.MUTED: "muted", style.FAINT: "faint", style.PAPER: "paper", style.BLUE: "blue",
    style.VERMILION: "vermilion", style.GREEN: "green", style.GREY: "grey",
}  # fmt: skip
STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --muted: #68707c; --faint: #e4e7eb; --paper: #ffffff;
  --blue: #0b6fb8; --vermilion: #c8501e; --green: #1a8a6b; --grey: #8c939d;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif;
  --mono: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
@media (prefers-color-scheme: dark) { :root {
  --ink: #e8eaed; --muted: #a0a8b3; --faint: #30363e; --paper: #15181c;
  --blue: #58aef0; --vermilion: #f08a5d; --green: #4fc3a1; --grey: #7d858f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 var(--sans); }
main, header, footer { max-width: 54rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 3.5rem; }
.kind { color: var(--muted); font-size: .85rem; letter-spacing: .06em; margin: 0; }
h1 { font-size: 2.1rem; line-height: 1.2; letter-spacing: -.015em; margin: .2rem 0 .6rem;
  overflow-wrap: anywhere; }
nav { border-top: 1px solid var(--faint); border-bottom: 1px solid var(--faint); padding: .7rem 0;
  margin-top: 1.6rem; display: flex; flex-wrap: wrap; gap: .3rem 1.6rem; font-size: .9rem; }
a { color: var(--blue); text-decoration: none; } a:hover, a:focus-visible { text-decoration: underline; }
section { margin: 3.2rem 0; }
h2 { font-size: .95rem; font-weight: 600; color: var(--muted); margin: 0 0 .2rem; }
.headline { font-size: 1.4rem; line-height: 1.35; font-weight: 650; letter-spacing: -.01em;
  margin: 0 0 1rem; text-wrap: balance; }
h3 { font-size: .95rem; margin: 1.6rem 0 .3rem; }
figure { margin: 1rem 0; } figure svg { display: block; width: 100%; height: auto; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; width: 100%; }
th, td { text-align: left; padding: .32rem .9rem .32rem 0; border-bottom: 1px solid var(--faint);
  vertical-align: top; }
thead th { color: var(--muted); font-weight: 500; white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.facts th { font-weight: 500; color: var(--muted); width: 13rem; } .facts td { overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--muted); font-size: .9rem; padding: .3rem 0; }
.notes { color: var(--muted); font-size: .9rem; padding-left: 1.1rem; }
pre { background: color-mix(in srgb, var(--faint) 55%, transparent); padding: .8rem 1rem; border-radius: 6px;
  font: .88rem/1.5 var(--mono); white-space: pre-wrap; overflow-wrap: anywhere; }
footer { color: var(--muted); font-size: .85rem; padding-bottom: 3rem; }
@media print { body { font-size: 11pt; } header { padding-top: 0; } nav { display: none; }
  section { margin: 1.6rem 0; } figure, tr { break-inside: avoid; } h2, h3, .headline { break-after: avoid; }
  :root { color-scheme: light; --ink: #000; --muted: #555; --faint: #ddd; --paper: #fff;
    --blue: #0b6fb8; --vermilion: #c8501e; --green: #1a8a6b; --grey: #8c939d; } }
"""


def report(
    answers: Iterable[Answer],
    path: str | os.PathLike,
    title: str,
    facts: Mapping[str, Any] | None = None,
    reproduce: str = "",
) -> Path:
    """Writes the page to `path` and returns it.

    `facts` (versions, seed, digest, machine, certificates: any nesting of plain values) and `reproduce`, the
    command line that makes the page again, go into its last section. Missing folders are made.
    """
    answers = list(answers)
    path = Path(path)
    text = page(answers, title, facts or {}, reproduce)
    with style.whole(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", errors="replace")
    return path


def page(answers: list, title: str, facts: Mapping[str, Any], reproduce: str) -> str:
    """The whole page as text."""
    systems = ", ".join(dict.fromkeys(answer.system for answer in answers))
    links = [f'<a href="#answer-{n}">{escape(asked(answer))}</a>' for n, answer in enumerate(answers, 1)]
    links.append('<a href="#computed">How this was computed</a>')
    sections = [section(answer, n) for n, answer in enumerate(answers, 1)]
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<p class="kind">{escape(systems)}</p>
<h1>{escape(title)}</h1>
<nav aria-label="Sections">{" ".join(links)}</nav>
</header>
<main>
{"".join(sections)}
{computed(answers, facts, reproduce)}
</main>
<footer>Made by catallax. This page is one file: it can be kept, printed and sent on.</footer>
</body>
</html>
"""


def section(answer: Answer, number: int) -> str:
    """One answer: what was asked, what was found, the picture, the rows, the notes, the scenes."""
    pictures = [""]  # a plain run has scenes alone
    if answer.question in FIGURES or not answer.scenes:
        pictures = [picture(figure(answer, titled=False), f"a{number}", asked(answer), answer.headline)]
    for place, scene in enumerate(answer.scenes, 1):
        drawn = picture(draw(scene, titled=False), f"a{number}s{place}", scene.title, "A picture of the system.")
        pictures.append(f"<h3>{escape(scene.title)}</h3>\n{drawn}")
    notes = "".join(f"<li>{escape(note)}</li>" for note in answer.notes)
    return f"""
<section id="answer-{number}">
<h2>{escape(asked(answer))}</h2>
<p class="headline">{escape(answer.headline)}</p>
{pictures[0]}
{rows(answer)}
{f'<ul class="notes">{notes}</ul>' if notes else ""}
{"".join(pictures[1:])}
</section>
"""


def rows(answer: Answer) -> str:
    """The rows as a table, folded where long; of a very long one, rows at equal distances."""
    table = answer.table()
    count = len(table.rows)
    if not count:
        return ""
    stride = -(-count // LONGEST)
    kept = sorted({*range(0, count, stride), count - 1})
    side = [' class="number"' if numeric else "" for numeric in table.numeric]
    head = "".join(f'<th scope="col"{c}>{escape(name)}</th>' for c, name in zip(side, table.columns, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f"<td{c}>{escape(cell)}</td>" for c, cell in zip(side, table.rows[row], strict=True))
        + "</tr>\n"
        for row in kept
    )
    words = "The numbers behind the picture" + (f": {len(kept)} of {count} rows, evenly spaced" if stride > 1 else "")
    return f"""<details{" open" if count <= OPEN else ""}><summary>{words}</summary>
<div class="scroll"><table><thead><tr>{head}</tr></thead>
<tbody>
{body}</tbody></table></div></details>"""


def computed(answers: list, facts: Mapping[str, Any], reproduce: str) -> str:
    """How the page was made: the command, what holds for all of it, and what each answer says of itself."""
    parts = []
    if reproduce:
        parts.append(f"<p>This command makes the page again:</p>\n<pre><code>{escape(reproduce)}</code></pre>")
    if facts:
        parts.append(fact_table(facts))
    for answer in answers:
        own = {name: value for name, value in answer.json()["facts"].items() if name not in SHOWN}
        if own:
            parts.append(f"<h3>{escape(asked(answer))}</h3>\n{fact_table(own)}")
    return '<section id="computed">\n<h2>How this was computed</h2>\n' + "\n".join(parts) + "\n</section>"


def fact_table(facts: Mapping[str, Any]) -> str:
    """Name and value, a row each; the entries of a mapping stand in lines below each other."""
    lines = []
    for name, value in facts.items():
        entries = value.items() if isinstance(value, Mapping) else [(None, value)]
        shown = "<br>".join(escape(text(entry) if key is None else f"{key} {text(entry)}") for key, entry in entries)
        lines.append(f'<tr><th scope="row">{escape(str(name).replace("_", " "))}</th><td>{shown}</td></tr>')
    body = "\n".join(lines)
    return f'<div class="scroll"><table class="facts"><tbody>\n{body}\n</tbody></table></div>'


def picture(drawn: "matplotlib.figure.Figure", name: str, title: str, description: str) -> str:
    """The figure as inline SVG: colours and fonts of the page, identifiers of its own, a title and a
    description.
    """
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        style.render(drawn, buffer, "svg", facecolor="none", metadata={"Date": None})
    head, svg = re.split(r"(?<=>)", buffer.getvalue()[buffer.getvalue().index("<svg") :], maxsplit=1)
    box = " ".join(re.findall(r'viewBox="([^"]*)"', head))
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r"<[^>]*>", lambda tag: on_page(tag.group(), name), svg)
    return (
        f'<figure><svg viewBox="{box}" role="img" aria-labelledby="{name}-title {name}-description">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-description">{escape(description)} The table holds the numbers.</desc>'
        f"{svg.strip()}</figure>"
    )


def on_page(tag: str, name: str) -> str:
    """A tag of Matplotlib's SVG, at home on the page: its identifiers, links, colours and fonts (never its
    text).
    """
    if " id=" in tag or "#" in tag or "font" in tag:
        tag = re.sub(r'(\bid="|\bhref="#|url\(#)', rf"\g<1>{name}-", tag.replace("xlink:href", "href"))
        for colour, variable in VARIABLES.items():
            tag = tag.replace(colour, f"var(--{variable})")
        tag = tag.replace("'DejaVu Sans'", "var(--sans)")
    return tag


def asked(answer: Answer) -> str:
    """The question in plain words."""
    return ASKED.get(answer.question, answer.question)


def escape(words: object) -> str:
    """Text that HTML shows as it is spelt."""
    return html.escape(str(words), quote=True)
