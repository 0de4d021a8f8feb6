"""A file is whole or not there; a seal shows what was cut or changed."""

import zipfile

import numpy as np
import pytest

from catallax.core.disk import SEAL, make_folder, seal, sealed, whole
from catallax.core.errors import BadInput


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "file"
    with whole(path) as file:
        file.write(b"all of it")
        assert not path.exists()
    assert path.read_bytes() == b"all of it"
    with pytest.raises(KeyboardInterrupt), whole(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"all of it" and list(tmp_path.iterdir()) == [path]


def test_a_sealed_archive_is_an_archive(tmp_path):
    path = tmp_path / "archive.npz"
    with whole(path) as file:
        np.savez(file, a=np.arange(3))
        seal(file)
    data = path.read_bytes()
    assert sealed(data) and not sealed(data[:-1])
    with np.load(path) as archive:
        assert archive["a"].tolist() == [0, 1, 2]
    with zipfile.ZipFile(path) as archive:
        assert len(archive.comment) == SEAL


def test_not_sealed():
    assert not sealed(b"")
    assert not sealed(b"x" * SEAL)


def test_a_folder_where_a_file_is(tmp_path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(BadInput, match="cannot be made a folder"):
            make_folder(folder)
