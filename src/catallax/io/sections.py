"""Files of keywords and sections, as TSPLIB writes them, taken apart; what they mean is for `tsplib` to say.

    KEYWORD : value         one a line, in any order; the colon may be missing after a keyword of TSPLIB
    ANYTHING_SECTION        its body goes on to the next keyword or section
    EOF                     the end, which may be missing; what follows is not read

Upper or lower case, spaces and tabs at will, LF, CRLF or CR. Text is UTF-8, or Latin-1 where it is not that.
Keywords that TSPLIB has not got are passed over. Lines count from 1; every fault is a `BadInput` of one
sentence. Bodies are taken in pieces, at the pace of `str.split`; lines are counted only once a fault has been found.

TSPLIB 95, G. Reinelt, 1995.
"""

import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from catallax.core.errors import BadInput
from catallax.io.memory import free_memory, in_bytes
from catallax.io.tables import FOREIGN, AnyPath, number

PIECE = 1 << 20  # characters of a body that become words at once
HEAD = 1 << 16  # bytes that show what a file is
BYTES_PER_BYTE = 6.0  # of memory, for one of the file, at most
KEYWORDS = (
    "NAME", "TYPE", "COMMENT", "DIMENSION", "CAPACITY", "EDGE_WEIGHT_TYPE", "EDGE_WEIGHT_FORMAT", "EDGE_DATA_FORMAT",
    "NODE_COORD_TYPE", "DISPLAY_DATA_TYPE",
)  # fmt: skip
STEMS = ("NODE_COORD", "EDGE_WEIGHT", "DISPLAY_DATA", "FIXED_EDGES", "TOUR", "EDGE_DATA", "DEPOT", "DEMAND")
SECTIONS = tuple(f"{stem}_SECTION" for stem in STEMS)
BLANK, LINE_END = re.compile(r"\s"), re.compile(r"\n")
END = re.compile(r"^[ \t]*EOF[ \t:]*$", re.M | re.I)
MARK = re.compile(
    r"^[ \t]*(?:(?P<section>\w+_SECTION)\b[ \t]*:?"
    rf"|(?P<keyword>(?:{'|'.join(KEYWORDS)})(?=[ \t:]|$)|[A-Z][\w-]*(?=[ \t]*:))[ \t]*:?(?P<value>.*))",
    re.M | re.I | re.A,
)
REMEDY = "begin with lines such as NAME : mine, TYPE : TSP, DIMENSION : 52"


class Entry(NamedTuple):
    """What stands behind a keyword, and in which line."""

    value: str
    line: int


class Section(NamedTuple):
    """What stands below a title, and the line of that title."""

    path: str
    title: str
    line: int
    body: str

    def place(self, word: int) -> str:
        """File and line of the `word`-th word of the body, counted from 0."""
        before = 0
        for line, row in enumerate(self.body.split("\n"), self.line):
            before += len(row.split())
            if word < before:
                return f"{self.path}, line {line}"
        return f"{self.path}, line {self.line}"


class Parts(NamedTuple):
    """A file taken apart."""

    path: str
    comment: str  # lines of it are joined by line ends
    entries: dict[str, Entry]
    sections: dict[str, Section]

    def value(self, keyword: str, otherwise: str = "") -> str:
        """The text behind a keyword."""
        return self.entries[keyword].value if keyword in self.entries else otherwise

    def code(self, keyword: str, otherwise: str = "") -> str:
        """The first word behind a keyword, in capitals: some files of TSPLIB have remarks after it."""
        return (self.value(keyword).upper().split() or [otherwise])[0]

    def place(self, keyword: str) -> str:
        """File and line of a keyword, or the file alone where there is none."""
        return f"{self.path}, line {self.entries[keyword].line}" if keyword in self.entries else self.path

    def section(self, title: str, why: str) -> Section:
        """The section of that title; BadInput where it is missing."""
        if title not in self.sections:
            raise BadInput(f"{self.path}: {title} is missing, and {why}; add it")
        return self.sections[title]

    def dimension(self) -> int:
        """How many cities the file says it has; BadInput where it does not."""
        if "DIMENSION" not in self.entries:
            raise BadInput(f"{self.path}: DIMENSION is missing; add a line DIMENSION : and the number of cities")
        word = self.code("DIMENSION")
        if not re.fullmatch(r"[0-9]{1,15}", word) or int(word) == 0:
            place = self.place("DIMENSION")
            raise BadInput(f"{place}: DIMENSION is {shown(word)}; write the number of cities, 1 or more")
        return int(word)


def reads_as_mark(line: str) -> bool:
    """Whether a line would be taken for a keyword, a title or the end."""
    return bool(MARK.match(line) or END.match(line))


# --- the file ---


def looks_sectioned(path: AnyPath) -> bool:
    """Whether a file begins as one of keywords and sections does, and not as a table.

    Raises `BadInput` where it cannot be read.
    """
    with _opened(path) as file:
        head = file.read(HEAD).removeprefix(b"\xef\xbb\xbf").decode("latin-1").replace("\r", "\n")
    sure = rf"^[ \t]*(?:\w+_SECTION[ \t:]*$|(?:{'|'.join(KEYWORDS)})[ \t]*:)"
    return re.search(sure, head, re.M | re.I | re.A) is not None


def take_apart(path: AnyPath) -> Parts:
    """The keywords and sections of a file.

    Raises `BadInput` where it cannot be read, is not text, or has lines that are neither; where a keyword or a section
    comes twice (comments may) or a section is none of TSPLIB's.
    """
    name = os.fspath(path)
    text = _read(path)
    if not text.strip():
        raise BadInput(f"{name} is empty; {REMEDY}")
    end = END.search(text)
    text = text[: end.start()] if end else text
    marks = list(MARK.finditer(text))
    _check_blank(name, text, 0, marks[0].start() if marks else len(text), foreign=True)
    comments = [mark["value"].strip() for mark in marks if (mark["keyword"] or "").upper() == "COMMENT"]
    parts, line, counted = Parts(name, "\n".join(comments), {}, {}), 1, 0
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        line, counted = line + text.count("\n", counted, mark.start()), mark.start()
        stop = following.start() if following else len(text)
        if mark["section"]:
            _add_section(parts, mark["section"].upper(), line, text[mark.end() : stop])
        else:
            _check_blank(name, text, mark.end(), stop)
            _add_entry(parts, mark["keyword"].upper(), mark["value"].strip(), line)
    return parts


def _opened(path: AnyPath) -> BinaryIO:
    name = os.fspath(path)
    try:
        if Path(path).is_dir():
            raise BadInput(f"{name} is a folder, not a file; name the file in it")
        if not Path(path).exists():
            raise BadInput(f"{name} does not exist; check the path")
        if not Path(path).is_file():  # a pipe has no size to judge, and can be read only once
            raise BadInput(f"{name} is not a regular file; save what it gives to a file first")
        return open(path, "rb")
    except OSError as error:
        raise BadInput(f"{name} cannot be read ({error.strerror}); check its permissions") from None


def _read(path: AnyPath) -> str:
    with _opened(path) as file:
        name, size = os.fspath(path), os.fstat(file.fileno()).st_size
        if size * BYTES_PER_BYTE > (free := free_memory()):
            needed = in_bytes(size * BYTES_PER_BYTE)
            raise BadInput(f"{name} would need {needed} of memory and {in_bytes(free)} may be used; keep fewer cities")
        data = file.read()
    for magic, what in FOREIGN.items():
        if data.startswith(magic):
            raise BadInput(f"{name} is {what}, not a TSPLIB file; unpack it or save it as plain text")
    if (nul := data.find(b"\0")) >= 0:
        raise BadInput(f"{name}: byte {nul} is NUL, so this is not text; name a TSPLIB file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:  # names and comments of older files
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _check_blank(path: str, text: str, start: int, stop: int, foreign: bool = False) -> None:
    rest = text[start:stop]
    if bare := rest.lstrip():
        line = text.count("\n", 0, stop - len(bare)) + 1
        said = shown(bare.split("\n", 1)[0].rstrip())
        if foreign:
            raise BadInput(f"{path} is not a TSPLIB file: line {line} is {said}; {REMEDY}")
        raise BadInput(f"{path}, line {line}: {said} is no keyword and stands in no section; remove it")


def _add_entry(parts: Parts, keyword: str, value: str, line: int) -> None:
    if keyword not in KEYWORDS or keyword == "COMMENT":
        return
    if keyword in parts.entries:
        first = parts.entries[keyword].line
        raise BadInput(f"{parts.path}, line {line}: {keyword} already stands in line {first}; keep one of them")
    parts.entries[keyword] = Entry(value, line)


def _add_section(parts: Parts, title: str, line: int, body: str) -> None:
    place = f"{parts.path}, line {line}"
    if title not in SECTIONS:
        raise BadInput(f"{place}: {shown(title)} is no section of TSPLIB; use one of {', '.join(SECTIONS)}")
    if title in parts.sections:
        raise BadInput(f"{place}: {title} already stands in line {parts.sections[title].line}; keep one of them")
    parts.sections[title] = Section(parts.path, title, line, body)


# --- bodies ---


def read_numbers(section: Section) -> NDArray[np.float64]:
    """All numbers of a body, in whatever lines they stand. BadInput names the first word that is none."""
    parts, before = [np.empty(0)], 0
    for piece in _pieces(section.body, BLANK):
        words = piece.split()
        parts.append(_converted(section, words, count(before)))
        before += len(words)
    return np.concatenate(parts)


def read_rows(section: Section) -> tuple[list[str], NDArray[np.float64]]:
    """Rows of a name and two numbers: names [rows], numbers [rows, 2]. BadInput names the first fault."""
    names: list[str] = []
    parts = [np.empty((0, 2))]
    for piece in _pieces(section.body, LINE_END):
        rows = [row for row in map(str.split, piece.split("\n")) if row]
        if not set(map(len, rows)) <= {3}:
            raise _ragged(section)
        words = [word for row in rows for word in row[1:]]
        positions = (3 * row + column for row in count(len(names)) for column in (1, 2))
        parts.append(_converted(section, words, positions).reshape(-1, 2))
        names += [row[0] for row in rows]
    return names, np.concatenate(parts)


def read_list(section: Section, names: Sequence[str]) -> list[int]:
    """The cities named in a body up to its -1, as positions in `names`."""
    words = section.body.split()
    end = words.index("-1") if "-1" in words else len(words)
    for k, word in enumerate(words[end:], end):
        if word != "-1":
            raise BadInput(f"{section.place(k)}: {shown(word)} stands after the closing -1; keep one list")
    at = {name: k for k, name in enumerate(names)}
    for k, word in enumerate(words[:end]):
        if word not in at:
            raise BadInput(
                f"{section.place(k)}: {shown(word)} is none of the {len(names):,} cities; use the numbers they have"
            )
    return [at[word] for word in words[:end]]


def _pieces(body: str, end: re.Pattern[str]) -> Iterator[str]:
    """The body in pieces that `end` so: the words of all of it at once would need many times its memory."""
    start = 0
    while start < len(body):
        found = end.search(body, start + PIECE)
        stop = found.end() if found else len(body)
        yield body[start:stop]
        start = stop


def _converted(section: Section, words: list[str], positions: Iterable[int]) -> NDArray[np.float64]:
    """Words as numbers; `positions`: which words of the body they are, looked at only for a fault."""
    together = "".join(words)
    if together.isascii() and "_" not in together:  # float() takes 1_000 and the digits of every script: we do not
        try:
            values = np.array(list(map(float, words)))
            if np.isfinite(values).all():
                return values
        except ValueError:
            pass
    for word, position in zip(words, positions, strict=False):
        if not _plain(word):
            number(section.place(position), word)  # which says what is wrong
    raise AssertionError("a fault among numbers that are all sound")


def _plain(word: str) -> bool:
    try:
        return word.isascii() and "_" not in word and math.isfinite(float(word))
    except ValueError:
        return False


def _ragged(section: Section) -> BadInput:
    before = 0
    for row in map(str.split, section.body.split("\n")):
        if len(row) not in (0, 3):
            break
        before += len(row)
    words = f"{len(row)} word{'s' * (len(row) != 1)}"
    return BadInput(f"{section.place(before)}: the line has {words}; give a city its number and two coordinates")


def shown(text: str) -> str:
    """A piece of a file as a message shows it: quoted, and shortened where it is long."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


def on_one_line(text: str) -> str:
    """Text without line ends, as a keyword's value has to be."""
    return " ".join(text.split())
