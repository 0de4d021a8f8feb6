"""`list` and `cite`."""

import json
import re

from catallax.cli.about import METHODS
from catallax.cli.systems import SYSTEMS


def test_list_names_systems_and_the_columns_of_their_files(catallax, told):
    text = catallax("list").stdout
    for name, system in SYSTEMS.items():
        assert name in text and system.columns in text
    assert set(told("list")["systems"]) == set(SYSTEMS)
    assert json.loads(catallax("list", "--json").stdout)["command"] == "list"


def test_cite_prints_bibtex_that_closes(catallax):
    assert set(METHODS) == set(SYSTEMS)
    for words in (["cite"], ["cite", "exchange"]):
        text = catallax(*words).stdout
        assert text.count("{") == text.count("}")
        keys = re.findall(r"@\w+\{([^,]+),", text)
        assert keys[0] == "catallax" and len(keys) == len(set(keys)) == 5
    assert catallax("cite", "nothing").exit_code == 2
