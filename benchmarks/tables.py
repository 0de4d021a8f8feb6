"""Tables with classes, for benchmarks of learners: those of ../shared/data/tables, and scikit-learn's own four.

Numbers are filled with medians, words become columns of 0 and 1, columns that never change are left out. A table of more
than `rows` rows is cut to so many, drawn by class.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from benchmarks import data

FOLDER = data.SHARED / "tables"
OWN = ("digits", "iris", "wine", "breast_cancer")


def names() -> list[str]:
    """All tables at hand; scikit-learn's own where there are no others."""
    files = sorted(path.name.split(".csv")[0] for path in FOLDER.glob("*.csv*"))
    return files + [f"sklearn {name}" for name in OWN]


def read(name: str, rows: int | None = 1000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features [rows, columns] and classes as whole numbers [rows]."""
    features, classes = _own(name.split()[1]) if name.startswith("sklearn ") else _file(name)
    if rows is not None and len(classes) > rows:
        from sklearn.model_selection import train_test_split

        kept, _ = train_test_split(np.arange(len(classes)), train_size=rows, stratify=classes, random_state=seed)
        features, classes = features[kept], classes[kept]
    classes = np.unique(classes, return_inverse=True)[1]
    return features[:, features.std(0) > 0], classes


def _own(name: str) -> tuple[np.ndarray, np.ndarray]:
    import sklearn.datasets

    return getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)


def _file(name: str) -> tuple[np.ndarray, np.ndarray]:
    import pandas

    path: Path = next(FOLDER.glob(f"{name}.csv*"))
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        table = pandas.read_csv(file)
    table = table[table["y"].notna()]
    classes = table.pop("y").astype(str).to_numpy()
    numbers = table.select_dtypes("number")
    words = table.drop(columns=numbers.columns)
    columns = [numbers.fillna(numbers.median()).to_numpy(float)]
    if words.shape[1]:
        missing = bool(words.isna().to_numpy().any())
        columns.append(pandas.get_dummies(words, dummy_na=missing, dtype=float).to_numpy(float))
    return np.hstack(columns), classes
