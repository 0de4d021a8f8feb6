"""The README and the guide say nothing that does not run."""

import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WINGS = (
    "economy",
    "colony",
    "collective",
    "ensembles",
    "networks",
    "memory",
    "sparse",
    "experts",
    "market_net",
    "merging",
)
PAGES = ["README.md", "docs/guide.md", *(f"docs/{wing}.md" for wing in WINGS)]


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_every_block_runs(page):
    names: dict = {"__name__": "page"}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for block in blocks(page):
            exec(compile(block, page, "exec"), names)
    said = printed.getvalue()
    if page == "docs/guide.md":
        assert "True" in said.splitlines()[-1]  # resumed bit for bit
        assert "cycling" in said and "settled" in said and "define span()" in said


def test_links_in_the_readme_lead_somewhere():
    for link in re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text(encoding="utf-8")):
        assert "://" in link or (ROOT / link).exists(), link
