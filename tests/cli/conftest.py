"""Commands are called in this process, where JAX has started already; what they set of JAX is set back."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import pytest
from typer.testing import CliRunner, Result

from catallax.cli.app import app

SOURCE = Path(__file__).parents[2] / "src"
SETTINGS = ("jax_enable_x64", "jax_persistent_cache_min_compile_time_secs", "jax_persistent_cache_min_entry_size_bytes")
ECONOMY = """agent,endowment:grain,endowment:fish,taste:grain,taste:fish,elasticity
farmer,4,0.5,1,2,0.5
fisher,0.5,3,2,1,2
miller,1,1,1,1,1
"""
# Scarf's (1960): complements, each good in one hand. The tastes are not quite even, or prices would begin at rest.
SCARF = """agent,endowment:a,endowment:b,endowment:c,taste:a,taste:b,taste:c,elasticity
one,1,0,0,1.01,1,0,0
two,0,1,0,0,1,1,0
three,0,0,1,1,0,1,0
"""


@pytest.fixture(autouse=True)
def settings_kept() -> Iterator[None]:
    before = {name: getattr(jax.config, name) for name in SETTINGS}
    yield
    for name, value in before.items():
        jax.config.update(name, value)


@pytest.fixture
def catallax() -> Callable[..., Result]:
    """Calls a command; an error that it does not turn into an exit code is raised."""

    def call(*words: Any) -> Result:
        result = CliRunner().invoke(app, [str(word) for word in words], prog_name="catallax")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


@pytest.fixture
def told(catallax: Callable) -> Callable[..., dict]:
    """The one JSON object that a command prints."""

    def call(*words: Any, code: int = 0) -> dict:
        result = catallax(*words, "--json")
        assert result.exit_code == code, result.stderr
        return json.loads(result.stdout, parse_constant=pytest.fail)

    return call


@pytest.fixture
def economy(tmp_path: Path) -> Path:
    """Three traders, two goods, three elasticities."""
    path = tmp_path / "economy.csv"
    path.write_text(ECONOMY)
    return path


@pytest.fixture
def scarf(tmp_path: Path) -> Path:
    """An economy whose prices go in circles."""
    path = tmp_path / "scarf.csv"
    path.write_text(SCARF)
    return path


@pytest.fixture
def start(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.Popen]:
    """Starts a command as a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(SOURCE), "JAX_COMPILATION_CACHE_DIR": str(cache())}

    def call(*words: Any, **options: Any) -> subprocess.Popen:
        command = [sys.executable, "-c", "from catallax.cli.app import main; main()", *map(str, words)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
        return subprocess.Popen(command, **(pipes | options))

    return call


def cache() -> str:
    """The compile cache that all tests share."""
    return jax.config.jax_compilation_cache_dir or ""
