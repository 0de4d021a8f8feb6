"""`list` and `cite`."""

import re
import subprocess
import sys

import pytest

import catallax as cx
from catallax.cli import learners
from catallax.cli.references import REFERENCES
from catallax.cli.systems import SYSTEMS, load


def test_list_names_systems_and_the_columns_of_their_files(catallax, told):
    lines = catallax("list").stdout.splitlines()
    for name, system in SYSTEMS.items():
        assert any(line.startswith(name) and system.summary in line for line in lines)
        assert any(line.startswith(name) and line.endswith(system.columns) for line in lines)
    known = told("list")["systems"]
    assert set(known) == set(SYSTEMS)
    assert known["exchange"]["draws"] and not known["braess"]["draws"]
    assert known["braess"]["columns"] is None


@pytest.mark.parametrize("words", ["list", "--help", "cite"])
def test_what_there_is_is_said_without_jax(words):
    code = f"import sys; from catallax.cli.app import app; app({words.split()!r}, standalone_mode=False); "
    code += "assert not {'jax', 'numpy', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_every_example_is_a_problem_with_words_for_pictures():
    for name, system in SYSTEMS.items():
        problem = load(name, None)
        assert isinstance(problem, cx.Problem)
        assert {"signal", "measure", "population"} <= set(problem.words())
        assert (system.read is None) == (not system.columns)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("exchnge", "did you mean exchange"),
        ("prisoner", "did you mean prisoners"),
        ("stag", "did you mean stag-hunt"),
        ("xyzzy", "there are exchange, fisher"),
        ("", "there are exchange, fisher"),
    ],
)
def test_a_name_that_is_none_is_answered_with_those_like_it(name, said, catallax):
    result = catallax("compare", name)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert said in result.stderr


def test_what_is_ready_made_reads_no_file_and_has_no_draws(catallax, economy):
    result = catallax("compare", "braess", economy)
    assert result.exit_code == 2 and "braess is ready made and reads no file" in result.stderr
    result = catallax("compare", "braess", "--draws", 2)
    assert result.exit_code == 2 and "there are draws of exchange, fisher" in result.stderr


def test_cite_prints_bibtex_that_closes(catallax):
    cited = [key for system in SYSTEMS.values() for key in system.sources]
    assert {*cited, *learners.SOURCES} == set(REFERENCES)
    counts = {"exchange": 4, "braess": 3, "learners": 4}
    for words, count in ((["cite"], len(REFERENCES)), *((["cite", name], count) for name, count in counts.items())):
        text = catallax(*words).stdout
        assert text.count("{") == text.count("}")
        keys = re.findall(r"@\w+\{([^,]+),", text)
        assert keys[0] == "catallax" and len(keys) == len(set(keys)) == 1 + count
    assert all(entry.partition("{")[2].startswith(f"{key},") for key, entry in REFERENCES.items())
    assert catallax("cite", "nothing").exit_code == 2
