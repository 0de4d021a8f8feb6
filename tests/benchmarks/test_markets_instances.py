"""Instances are the same for the same seed, and are what their names say."""

import json

import numpy as np
import pytest

from benchmarks import data
from benchmarks import markets_instances as instances


@pytest.mark.parametrize("family", instances.FAMILIES)
@pytest.mark.parametrize("size", [(2, 2), (60, 30)])
def test_families_are_markets(family, size):
    market = instances.draw(family, *size, seed=3)
    assert market.valuations.shape == size
    assert np.all(np.isfinite(market.valuations)) and np.all(market.valuations >= 0)
    assert market.valuations.any(axis=0).all() and market.valuations.any(axis=1).all()
    assert np.isclose(market.budgets.sum(), 1) and np.all(market.budgets > 0)


def test_seed_decides_and_budgets_leave_tastes_alone():
    first, again = (instances.draw("uniform", 20, 5, seed=1) for _ in range(2))
    other = instances.draw("uniform", 20, 5, seed=2)
    rich = instances.draw("uniform", 20, 5, seed=1, budgets="decades")
    assert np.array_equal(first.valuations, again.valuations) and np.array_equal(first.budgets, again.budgets)
    assert not np.array_equal(first.valuations, other.valuations)
    assert np.array_equal(first.valuations, rich.valuations)
    assert rich.budgets.max() / rich.budgets.min() > 1e3


def test_families_are_what_they_are_called():
    values = {family: instances.draw(family, 400, 100, seed=0).valuations for family in instances.FAMILIES}
    assert np.linalg.matrix_rank(values["low rank"]) == 8
    assert 0.008 < np.mean(values["sparse"] > 0) < 0.03
    assert set(np.unique(values["ties"])) == set(range(6))
    rows, columns = values["buyer scales"].max(axis=1), values["good scales"].max(axis=0)
    assert rows.max() / rows.min() > 1e9 and columns.max() / columns.min() > 1e9


def test_file_holds_the_arrays_that_there_are(tmp_path):
    market = instances.resalloc(0, jobs=50)
    market.save(tmp_path / "market.npz")
    with np.load(tmp_path / "market.npz") as found:
        assert set(found) == {"valuations", "budgets", "supply", "row_caps"}
        assert all(np.array_equal(found[name], value) for name, value in market.arrays().items())


def test_resalloc_jobs_tell_their_resources_apart_in_single_precision():
    market = instances.resalloc(0, jobs=100_000)
    assert np.array_equal(market.valuations, market.valuations.astype(np.float32))
    assert np.all(np.diff(np.sort(market.valuations, axis=1), axis=1) > 0)
    assert np.all(market.valuations >= 0.0999) and np.all(
        market.valuations.max(axis=0) <= np.linspace(0.3, 1, 4) + 1e-6
    )
    assert np.all(market.supply <= 100_000 / 1.5 ** np.arange(4))


def test_gavel_rows_are_relative_to_the_best_worker(tmp_path):
    table = {
        "k80": {"('A3C', 1)": {"null": 2.0, "('A3C', 1)": [1.0, 1.0]}, "('LM', 2)": {"null": 0.0}},
        "p100": {"('A3C', 1)": {"null": 4.0}, "('LM', 2)": {"null": 0.0}, "('GAN', 1)": {"null": 3.0}},
        "v100": {"('A3C', 1)": {"null": 8.0}, "('LM', 2)": {"null": 0.0}, "('GAN', 1)": {"null": 1.5}},
    }
    (tmp_path / "rates.json").write_text(json.dumps(table))
    market = instances.gavel(tmp_path / "rates.json")
    assert market.names == ("A3C x 1", "GAN x 1")  # LM runs nowhere
    assert np.array_equal(market.valuations, [[0.25, 0.5, 1.0], [0.0, 1.0, 0.5]])


@pytest.mark.skipif(not (data.SHARED / instances.GAVEL).is_file(), reason="Gavel's measurements are not at hand")
def test_gavel_cluster_as_measured():
    market = instances.gavel(data.SHARED / instances.GAVEL)
    assert market.valuations.shape == (len(market.names), 3)
    assert len(market.names) > 70 and np.all(market.valuations.max(axis=1) == 1)
