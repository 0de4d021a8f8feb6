"""What every test runs under: four simulated devices, checked shapes, a compile cache, no window.

The controller of a parallel run (pytest-xdist) only hands out tests: it does not load JAX.
"""

import os
import re
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"

os.environ["MPLBACKEND"] = "Agg"  # also in the commands that tests start
# XLA takes its own tuning hints for missing processor features when it loads a CPU executable from the cache,
# and prints a page about it each time. What goes wrong is raised all the same.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# The first example may have to compile, so there is no deadline; the same examples each time, so that a
# failure is a failure for everyone.
settings.register_profile("catallax", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("catallax")


def pytest_configure(config: pytest.Config) -> None:
    hands_out = getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput")
    if not hands_out:
        prepare_jax(config.rootpath / ".pytest_cache" / "compiled")
        check_shapes()


def prepare_jax(compiled: Path) -> None:
    """Four CPU devices, and a compile cache that outlives the run and is shared by the workers."""
    import jax

    jax.config.update("jax_num_cpu_devices", 4)
    jax.config.update("jax_compilation_cache_dir", str(compiled))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def check_shapes() -> None:
    """Every annotated call of the library is checked by beartype, shapes included."""
    from jaxtyping import install_import_hook

    install_import_hook(modules_to_check(), "beartype.beartype")


def modules_to_check() -> list[str]:
    """All modules but those compiled by numba, which cannot compile a function that is wrapped."""
    numba = re.compile(r"^\s*(import|from) (numba\b|catallax\.core\.kernel import .*\bbare\b)", re.MULTILINE)
    files = [path for path in SOURCE.rglob("*.py") if path.name != "__init__.py"]
    checked = [path for path in files if not numba.search(path.read_text(encoding="utf-8"))]
    return [".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in checked]
