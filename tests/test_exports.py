"""The public names: all there, all lazy, and the same for the interpreter and for type checkers."""

import ast
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import catallax as cx

HEAVY = {"equinox", "jax", "jaxtyping", "matplotlib", "numba", "numpy", "rich", "scipy", "sklearn", "typer"}


def fresh(code: str) -> str:
    """What `code` prints in an interpreter of its own."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


WINGS = ("collective", "colony", "ensembles", "experts", "merging", "networks")


@pytest.mark.parametrize("name", cx._NAMES)
def test_a_listed_name_is_defined_where_the_table_says(name):
    value = getattr(cx, name)
    assert value.__name__ == name
    assert value.__module__ == cx._NAMES[name]


@pytest.mark.parametrize("name", cx._MODULES)
def test_a_listed_module_is_that_module(name):
    assert getattr(cx, name).__name__ == cx._MODULES[name]


def test_import_loads_nothing_heavy():
    loaded = fresh("import sys, catallax; dir(catallax); catallax.__version__; print(*sys.modules)")
    assert not HEAVY & {module.split(".")[0] for module in loaded.split()}


def test_the_errors_are_caught_without_loading_jax():
    loaded = fresh("import sys, catallax; catallax.BadInput; print(*sys.modules)")
    assert "catallax.core.errors" in loaded.split()
    assert "jax" not in loaded.split()


def seen(package) -> dict:
    """The names that type checkers see in a package, and where from."""
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.asname: (node.module, alias.name) for node in imports for alias in node.names}


def test_type_checkers_see_the_same_names():
    names = {name: (module, name) for name, module in cx._NAMES.items()}
    modules = {name: tuple(module.rsplit(".", 1)) for name, module in cx._MODULES.items()}
    assert seen(cx) == names | modules


@pytest.mark.parametrize("wing", WINGS)
def test_type_checkers_see_the_names_of_a_wing(wing):
    package = getattr(cx, wing)
    there = seen(package)
    assert sorted(there) == package.__all__ and set(there) <= set(dir(package))
    for name, (module, own) in there.items():
        assert getattr(package, name) is getattr(import_module(module), own)
    with pytest.raises(AttributeError, match=f"'catallax.{wing}' has no attribute 'nobody'"):
        _ = package.nobody


def test_every_subpackage_is_reachable_by_name():
    """A new wing is listed (the command line is not a library)."""
    entries = Path(cx.__file__).parent.glob("*/__init__.py")
    assert {path.parent.name for path in entries} - {"cli", "core"} <= set(cx._MODULES)


def test_dir_lists_the_public_names():
    assert {*cx._NAMES, *cx._MODULES, "__version__"} <= set(dir(cx))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'catallax' has no attribute 'prices'"):
        _ = cx.prices


def test_version_is_that_of_the_installed_package():
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))
    assert cx.__version__ == project["project"]["version"]
