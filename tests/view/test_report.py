"""The page is one file: well-formed, self-contained, deaf to scripts, and it says what was found."""

import dataclasses
import html.parser
import re

import pytest

from catallax.core.scene import Bars, Points, Scene
from catallax.view import report
from catallax.view import style as view_style

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(html.parser.HTMLParser):
    """Checks that tags nest, and gathers text, identifiers, links and tags."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.tags, self.ids, self.links, self.words = [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), (tag, name)
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href", "action", "srcset"):
                self.links.append(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def page(answers, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "deep" / "report.html"
    facts = {
        "versions": {"catallax": "0.1.0"},
        "seed": 7,
        "digest": "9f2c11",
        "certificates": {"signal": 8e-7},
    }
    pictured = dataclasses.replace(answers.compare(), scenes=(Scene("The posts", (Points([0, 1], [0, 1]),)),))
    everything = [answers.frontier(), pictured, answers.shock(), answers.lesion(), answers.replicate()]
    assert report(everything, path, "How much must a market be told?", facts, "catallax frontier exchange") == path
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
    return path.read_text(encoding="utf-8")


def test_it_says_what_was_asked_found_and_how_it_was_computed(page, answers):
    words = " ".join("".join(Page(page).words).split())
    for answer in answers.everything()[:5]:
        assert answer.headline in words
    for wanted in ("How much must a market be told?", "Who coordinates?", "A note.", "The posts", "9f2c11",
                   "catallax 0.1.0", "signal 8.00e-07", "catallax frontier exchange",
                   "1 - 3e-09"):  # fmt: skip
        assert wanted in words, wanted
    assert words.count("4 bits a price are enough") == 1  # text in pictures stays text


def test_it_needs_nothing_from_anywhere(page):
    parsed = Page(page)
    assert {"script", "link", "img", "iframe", "base"}.isdisjoint(parsed.tags)
    assert parsed.links and all(link.startswith(("#", "data:")) for link in parsed.links)
    assert not re.search(r"https?:|@import|@font-face", page)
    assert all(target.startswith(("#", "data:")) for target in re.findall(r"url\(([^)]*)\)", page))


def test_identifiers_are_unique_and_every_reference_has_its_target(page):
    ids = Page(page).ids
    assert len(ids) == len(set(ids))
    referred = {link[1:] for link in Page(page).links if link.startswith("#")} | set(
        re.findall(r"url\(#([^)]*)\)", page)
    )
    assert referred <= set(ids)


def test_pictures_have_names_and_follow_the_mode_of_the_page(page):
    assert page.count("<svg") == page.count('role="img"') == page.count("<desc") == 6
    assert "prefers-color-scheme: dark" in page and "@media print" in page
    pictures = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert "var(--blue)" in pictures and "var(--ink)" in pictures
    for colour in (view_style.INK, view_style.BLUE, view_style.PAPER, view_style.VERMILION):
        assert colour not in pictures


def test_names_are_shown_and_never_run(answers, tmp_path):
    evil = '<script>alert("1")</script>'
    answer = answers.compare(evil, "a&b", "'quote\"", "</svg><b>")
    scene = Scene(evil, (Bars([evil, "#0b6fb8"], [1, 2], "</style>"), Points([0], [0], label=[evil])))
    answer = dataclasses.replace(
        answer, headline=evil, notes=[evil], facts={evil: {evil: evil}}, system=evil, scenes=(scene,)
    )
    text = report([answer], tmp_path / "r.html", evil, {"trader": [evil]}, f"catallax {evil}").read_text()
    parsed = Page(text)
    assert "script" not in parsed.tags and "b" not in parsed.tags and "<script" not in text
    assert "".join(parsed.words).count(evil) >= 10
    assert "#0b6fb8" in "".join(parsed.words[parsed.words.index(evil) :])  # colours change in tags, not in names


def test_long_tables_are_thinned_and_say_so(answers, tmp_path):
    answer = answers.shock()
    answer.rows.extend({"round": t, "unrest": 1e-9, "efficiency": 1.0} for t in range(60, 1001))
    text = report([answer], tmp_path / "r.html", "t").read_text()
    shown = text.count("<tr>") - 1 - text.count('<tr><th scope="row">')
    assert 50 <= shown <= 61 and f"{shown} of 1001 rows, evenly spaced" in text
    assert '<td class="number">1,000</td>' in text  # the last row is always there


def test_the_page_is_the_same_each_time(answers, tmp_path):
    once, twice = (report(answers.everything(), tmp_path / n, "t").read_bytes() for n in ("a.html", "b.html"))
    assert once == twice


def test_a_failure_leaves_the_old_page_alone(answers, tmp_path):
    path = report([answers.compare()], tmp_path / "r.html", "old")
    with pytest.raises(ValueError, match="no picture for the question"):
        report([dataclasses.replace(answers.compare(), question="why")], path, "new")
    assert "old" in path.read_text() and [p.name for p in tmp_path.iterdir()] == ["r.html"]


def test_no_answers_make_a_page_too(tmp_path):
    words = "".join(Page(report([], tmp_path / "r.html", "Empty").read_text()).words)
    assert "How this was computed" in words
