"""What every test runs under: four simulated devices, checked shapes, quick compiles and a cache of them, no window.

The controller of a parallel run (pytest-xdist) only hands out tests: it does not load JAX.

Most of a test run is compiling, so programs are compiled as quickly as XLA can, a third of the time that good ones take.
What rests on the bits that a user's program makes is tested as users compile: a file of such tests says
`pytestmark = pytest.mark.as_users_compile`. `CATALLAX_COMPILE=users make test` tests everything so.
"""

import functools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"

# For XLA: no optimisation, one piece of work a program, the older and quicker way to write a loop.
QUICK = {
    "xla_backend_optimization_level": 0,
    "xla_cpu_parallel_codegen_split_count": 1,
    "xla_cpu_use_fusion_emitters": False,
}
compiling = {"quick": os.environ.get("CATALLAX_COMPILE") != "users"}

# Files that call the same kernels of numba: one worker runs them all, or each would compile the kernels anew.
KERNELS = {
    "tours": re.compile(r"tests/(colony/|cli/test_colony|benchmarks/test_tours|test_docs)"),
    "codes": re.compile(r"tests/networks/test_(sparse|dictionary)"),
    "routes": re.compile(r"tests/(signals/test_routing|experts/test_(layer|trade|flax))"),
    "market nets": re.compile(r"tests/experts/test_market_net"),
    "merges": re.compile(r"tests/(merging/test_(merge|ties|methods|alignment)|cli/test_merge)"),
}

# `long`: what takes long and adds least (the same manners checked on one more estimator): `make test-all` runs it too.
LONG = os.environ.get("CATALLAX_TESTS") == "all"

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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file stays on one worker, and files that share kernels do."""
    from xdist.scheduler import LoadFileScheduling

    class Together(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            shared = next((name for name, files in KERNELS.items() if files.match(nodeid)), None)
            return shared or super()._split_scope(nodeid)

    return Together(config, log)


def prepare_jax(compiled: Path) -> None:
    """Four CPU devices, and a compile cache that outlives the run and is shared by the workers."""
    import jax

    jax.config.update("jax_num_cpu_devices", 4)
    jax.config.update("jax_compilation_cache_dir", str(compiled))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    compile_quickly()


def compile_quickly() -> None:
    """Every program of this process, while `compiling["quick"]`. (A flag of the process could not be taken back.)

    Where a JAX knows these options no more, everything is compiled as users compile: slower, and as good.
    """
    import jax
    from jax._src import compiler

    try:
        jax.jit(lambda x: x + 1, compiler_options=QUICK).lower(1.0).compile()
        options_of = compiler.get_compile_options
    except (AttributeError, RuntimeError):
        compiling["quick"] = False
        return

    @functools.wraps(options_of)
    def quick(*args: Any, **kwargs: Any) -> Any:
        options = options_of(*args, **kwargs)
        if compiling["quick"]:
            options.env_option_overrides = [*QUICK.items(), *options.env_option_overrides]
        return options

    compiler.get_compile_options = quick


@pytest.fixture(autouse=True, scope="module")
def compiled_as_the_file_says(request: pytest.FixtureRequest) -> Iterator[None]:
    if not compiling["quick"] or request.node.get_closest_marker("as_users_compile") is None:
        yield
        return
    import jax

    jax.clear_caches()
    compiling["quick"] = False
    yield
    jax.clear_caches()
    compiling["quick"] = True


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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long tests are left out unless asked for."""
    kept = [item for item in items if LONG or item.get_closest_marker("long") is None]
    if len(kept) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("long")])
    items[:] = kept
