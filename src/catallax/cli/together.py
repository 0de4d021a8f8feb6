"""`catallax run|compare|frontier|lesion|shock|replicate together [rows.csv]`: members that train one model together.

Without a file: scikit-learn's digits with eight members, each of whom has seen two or three kinds of ten. `--out` writes the
merged model, together.safetensors, beside what every command writes.
"""

from pathlib import Path
from typing import Any

from catallax.core.errors import BadInput

MEMBERS, HIDDEN = 8, 32
SHARE = 0.2  # of the rows held out
COLUMNS = "member,<input>...,label (the last column, or y or target)"
SETTINGS: dict[str, Any] = dict(rounds=60, local_steps=10, batch=32, rate=0.3)
SOURCES = (
    "mcmahan2017communication", "douillard2023diloco", "xiao2004fast", "koloskova2019decentralized", "yin2018byzantine",
    "blanchard2017machine",
)  # fmt: skip


def example(seed: int = 0) -> Any:
    """Handwritten digits, dealt out by kind: each member has seen two or three of ten. `seed` deals and draws the network."""
    import numpy as np
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    learnt, held = apart(len(y), seed)
    kinds = learnt[np.argsort(y[learnt], kind="stable")]
    parts = np.array_split(kinds, 2 * MEMBERS)
    own = [np.concatenate([parts[i], parts[i + MEMBERS]]) for i in range(MEMBERS)]
    return problem(X / 16, y, own, held, seed)


def read(path: Path) -> Any:
    """Members of a file: the column `member` says whose a row is. Raises `BadInput`."""
    import numpy as np

    from catallax.ensembles.learners.sheet import sheet_of
    from catallax.io.frames import read_frame

    frame = read_frame(path)
    if "member" not in frame.names:
        raise BadInput(f"{path} has no column 'member': add one that says whose each row is")
    sheet = sheet_of(frame, None, "member")
    learnt, held = apart(len(sheet.y), 0)
    X = np.zeros(sheet.X.shape)
    X[learnt], X[held] = (rows.X for rows in sheet.split(learnt, held))
    own = [learnt[sheet.chain[learnt] == member] for member in range(int(sheet.chain.max()) + 1)]
    empty = [k for k, rows in enumerate(own) if not len(rows)]
    if empty:
        raise BadInput(f"{path}: member number {empty[0] + 1} has too few rows to learn from and hold out: give more")
    return problem(X, sheet.y, own, held, 0)


def apart(rows: int, seed: int) -> tuple[Any, Any]:
    """Rows to learn from and rows held out, in an order of their own."""
    import numpy as np

    order = np.random.default_rng(seed).permutation(rows)
    cut = max(1, round(SHARE * rows))
    return order[cut:], order[:cut]


def problem(X: Any, y: Any, own: list, held: Any, seed: int) -> Any:
    """A network of one hidden layer, and who has which rows."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    from catallax.merging.together.problem import Together

    model = eqx.nn.MLP(X.shape[1], int(y.max()) + 1, HIDDEN, 1, dtype=jnp.float32, key=jax.random.key(seed))
    rows: Any = [(X[part], y[part]) for part in own]
    return Together(model, rows, held=(X[held], y[held]), seed=seed, **SETTINGS)


def write(problem: Any, outcome: Any, name: str, folder: Path) -> None:
    """The merged model's tensors, by their places in it."""
    import equinox as eqx
    import jax
    import numpy as np
    from safetensors.numpy import save

    from catallax.core.disk import whole

    leaves = jax.tree_util.tree_leaves_with_path(eqx.filter(outcome.model, eqx.is_inexact_array))
    named = {jax.tree_util.keystr(path).lstrip("."): np.ascontiguousarray(leaf) for path, leaf in leaves}
    with whole(folder / "together.safetensors") as file:
        file.write(save(named))
