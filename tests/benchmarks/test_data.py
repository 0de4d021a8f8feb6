"""Inputs land whole and right, or not at all."""

import pytest

from benchmarks import data


@pytest.fixture
def origin(tmp_path, monkeypatch):
    source = tmp_path / "source.csv"
    source.write_text("good,price\nwheat,2\n")
    origin = data.Origin("tables/wheat.csv", source.as_uri(), data.digest(source), "CC0")
    monkeypatch.setattr(data, "FOLDER", tmp_path / "fetched")
    monkeypatch.setattr(data, "SHARED", tmp_path / "shared")
    monkeypatch.setattr(data, "ORIGINS", (origin,))
    return origin


def test_fetched_once_then_found(origin, tmp_path):
    found = data.fetch(origin, data.FOLDER)
    assert found.read_text() == "good,price\nwheat,2\n"
    (tmp_path / "source.csv").unlink()  # its origin is gone: the copy is used
    assert data.path(origin.name) == found


def test_shared_folder_is_used_where_it_is_right(origin, tmp_path):
    shared = tmp_path / "shared" / origin.name
    shared.parent.mkdir(parents=True)
    shared.write_bytes((tmp_path / "source.csv").read_bytes())
    assert data.path(origin.name) == shared


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_what_is_not_right_is_said_and_leaves_nothing(origin, tmp_path, damage, capsys):
    source = tmp_path / "source.csv"
    source.write_text("good,price\nwheat,3\n") if damage == "changed" else source.unlink()
    with pytest.raises(data.Unavailable, match="wheat.csv.*(changed at its origin|cannot be reached)"):
        data.fetch(origin, data.FOLDER)
    assert [x for x in data.FOLDER.rglob("*") if x.is_file()] == []
    assert data.main() == 1
    assert "wheat.csv" in capsys.readouterr().err
