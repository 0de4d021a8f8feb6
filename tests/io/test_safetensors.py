"""safetensors files: what we write the format's own library reads, and the other way; every defect is a sentence."""

import io
import json
import struct

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from catallax.core.errors import BadInput
from catallax.io.safetensors import (
    LONGEST,
    TYPES,
    Entry,
    SafetensorsFile,
    entry_of,
    header,
    storage_order,
    type_name,
    write_safetensors,
)
from catallax.merging import merge

PAIR = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
NEXT = {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}
EIGHT, SIXTEEN = b"\0" * 8, b"\0" * 16


def packed(told, data=EIGHT, length=None):
    """A file's bytes, whatever is wrong with them. `told`: the header, or its text."""
    text = told if isinstance(told, bytes) else json.dumps(told).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def pair(**changes):
    """A header of one tensor, changed."""
    return {"w": {key: value for key, value in (PAIR | changes).items() if value is not ...}}


MALFORMED = {  # why: the bytes, and what the sentence says
    "empty": (b"", "holds 0 bytes"),
    "a few bytes": (b"\1\2\3", "holds 3 bytes"),
    "a pointer of Git LFS": (b"version https://git-lfs.github.com/spec/v1\n", "pointer of Git LFS"),
    "a huge header": (packed({}, length=LONGEST + 1), "100,000,001 bytes, where 100,000,000 are allowed"),
    "a header beyond the end": (packed({"w": PAIR}, length=5000), "was cut: its header takes 5,000 bytes"),
    "no JSON": (packed(b"{nothing}"), "header is no JSON"),
    "no UTF-8": (packed(b'{"\xff\xfe": 1}'), "header is no JSON"),
    "deep JSON": (packed(b"[" * 100_000), "header is no JSON"),
    "a list": (packed([PAIR]), "no JSON object"),
    "a name twice": (packed(b'{"w": %s, "w": %s}' % ((json.dumps(PAIR).encode(),) * 2)), "names 'w' twice"),
    "a type twice": (
        packed(b'{"w": {"dtype": "F32", "dtype": "I32", "shape": [2], "data_offsets": [0, 8]}}'),
        "names 'dtype' twice",
    ),
    "metadata of numbers": (packed({"__metadata__": {"a": 1}} | pair()), "__metadata__ holds something else than text"),
    "no shape": (packed(pair(shape=...)), "'w' is not told by dtype, shape and data_offsets"),
    "a field too many": (packed(pair(device="cpu")), "and these alone"),
    "an unknown type": (packed(pair(dtype="F33")), "'w' is of the type 'F33', which is none of F64"),
    "a negative size": (packed(pair(shape=[-2])), "has the shape [-2]"),
    "a size that is true": (packed(pair(shape=[True, 2])), "whole numbers from 0"),
    "a size with a point": (packed(pair(shape=[2.0])), "has the shape [2.0]"),
    "too many bytes": (packed(pair(shape=[2**40, 2**40])), "more bytes than 2^63"),
    "a size that is too large, and none": (packed(pair(shape=[2**70, 0], data_offsets=[0, 0]), b""), "than 2^63"),
    "offsets backwards": (packed(pair(data_offsets=[8, 0])), "has the offsets [8, 0]"),
    "three offsets": (packed(pair(data_offsets=[0, 4, 8])), "a beginning and an end"),
    "a type that is wider": (packed(pair(dtype="F64")), "F64 [2], takes 16 bytes, and its offsets hold 8"),
    "half a byte": (packed(pair(dtype="F4", shape=[3], data_offsets=[0, 1]), b"\0"), "takes 1.5 bytes"),
    "overlapping": (packed({"w": PAIR, "v": NEXT | {"data_offsets": [4, 12]}}, SIXTEEN), "'w' and 'v' overlap"),
    "the same bytes": (packed({"w": PAIR, "v": PAIR}), "overlap"),
    "a hole": (
        packed({"w": PAIR, "v": NEXT | {"data_offsets": [12, 20]}}, b"\0" * 20),
        "4 bytes before the tensor 'v'",
    ),
    "truncated": (packed({"w": PAIR, "v": NEXT}, b"\0" * 12), "was cut: its tensors take 16 bytes, and 12 are left"),
    "bytes at the end": (packed({"w": PAIR}, SIXTEEN), "the last 8 bytes belong to no tensor"),
    "a path upwards": (packed({"../../etc/passwd": PAIR}), "leads out of a folder"),
    "a path upwards, elsewhere": (packed({"layers\\..\\..\\w": PAIR}), "leads out of a folder"),
    "an absolute path": (packed({"/etc/passwd": PAIR}), "leads out of a folder"),
    "a drive": (packed({"C:\\w": PAIR}), "leads out of a folder"),
    "a name that cannot be printed": (packed({"w\x1b[2J": PAIR}), "cannot be printed"),
    "NaN": (packed(pair(), np.array([1, np.nan], np.float32).tobytes()), "w of {path} holds 1 NaN"),
    "Inf": (packed(pair(), np.array([-np.inf, np.inf], np.float32).tobytes()), "w of {path} holds 2 Inf"),
}


@pytest.mark.parametrize("why", MALFORMED)
def test_malformed_files_are_refused_in_a_sentence_and_nothing_is_written(why, tmp_path):
    content, said = MALFORMED[why]
    path, good = tmp_path / "bad.safetensors", tmp_path / "good.safetensors"
    path.write_bytes(content)
    good.write_bytes(packed(pair(), np.ones(2, np.float32).tobytes()))
    with pytest.raises(BadInput) as error:
        merge([good, path], out=tmp_path / "merged")
    message = str(error.value)
    assert said.replace("{path}", str(path)) in message and str(path) in message
    assert "\n" not in message and message.isprintable() and len(message) < 500
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.safetensors", "good.safetensors"]


def test_files_that_are_not_there_or_are_folders(tmp_path):
    with pytest.raises(BadInput, match=r"none.safetensors cannot be read \(No such file"):
        SafetensorsFile(tmp_path / "none.safetensors")
    with pytest.raises(BadInput, match="cannot be read"):
        SafetensorsFile(tmp_path)


KINDS = [np.dtype(kind) for kind in ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?", "c8")]
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\\:"), min_size=1, max_size=9)
ARRAYS = st.sampled_from(KINDS).flatmap(
    lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=0, min_side=0, max_side=3))
)


@given(st.dictionaries(NAMES.filter(lambda name: name.isprintable() and name not in ("..", "__metadata__")), ARRAYS))
def test_round_trips_with_the_library_of_the_format(tmp_path_factory, arrays):
    folder = tmp_path_factory.getbasetemp()
    with open(folder / "ours.safetensors", "wb") as file:
        write_safetensors(file, arrays, {"who": "we"})
    theirs = safetensors.numpy.load_file(folder / "ours.safetensors")
    assert set(theirs) == set(arrays)
    safetensors.numpy.save_file({k: v.copy() for k, v in arrays.items()}, folder / "theirs.safetensors")
    ours, back = SafetensorsFile(folder / "theirs.safetensors"), SafetensorsFile(folder / "ours.safetensors")
    assert back.metadata == {"who": "we"} and ours.metadata == {}
    for name, array in arrays.items():
        for read in (theirs[name], ours.read(name), back.read(name)):
            assert read.dtype == array.dtype and read.shape == array.shape and read.tobytes() == array.tobytes()


def test_small_floats_and_packed_types_are_what_the_library_says(tmp_path):
    bits = np.arange(1, 9, dtype=np.uint8)
    arrays = {name: bits.view(TYPES[name]) for name in ("BF16", "F8_E4M3", "F8_E5M2")}
    with open(tmp_path / "a.safetensors", "wb") as file:
        write_safetensors(file, arrays)
    with safetensors.safe_open(tmp_path / "a.safetensors", framework="numpy") as file:
        told = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        assert {name: (one.get_dtype(), one.get_shape()) for name, one in told.items()} == {
            "BF16": ("BF16", [4]),
            "F8_E4M3": ("F8_E4M3", [8]),
            "F8_E5M2": ("F8_E5M2", [8]),
        }
    assert SafetensorsFile(tmp_path / "a.safetensors").read("BF16").dtype == ml_dtypes.bfloat16
    (tmp_path / "b.safetensors").write_bytes(packed(pair(dtype="F4", shape=[2, 8])))
    assert SafetensorsFile(tmp_path / "b.safetensors").read("w").shape == (8,)  # its bytes


def test_tensors_that_lie_askew_are_read_all_the_same(tmp_path):
    told = {"b": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}, "w": PAIR | {"data_offsets": [1, 9]}}
    text = json.dumps(told).encode() + b" "
    values = np.array([1.5, -2], np.float32)
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"\7" + values.tobytes())
    read = SafetensorsFile(tmp_path / "a.safetensors").read("w")
    assert read.flags.aligned and read.tolist() == [1.5, -2]


def test_reading_is_a_view_that_cannot_be_written_to_and_can_be_let_go(tmp_path):
    values = np.arange(1 << 16, dtype=np.float32)
    with open(tmp_path / "a.safetensors", "wb") as file:
        write_safetensors(file, {"w": values, "v": values[:0]})
    file = SafetensorsFile(tmp_path / "a.safetensors")
    read = file.read("w")
    with pytest.raises(ValueError, match="read-only"):
        read[0] = 1
    file.release("w")
    assert np.array_equal(read, values) and file.read("v").size == 0


def test_headers_are_padded_and_tensors_aligned():
    entries = {"a": Entry("U8", (3,)), "c": Entry("F32", (2,)), "b": Entry("F32", ()), "d": Entry("F64", (1,))}
    told = header(entries, {"format": "pt"})
    assert len(told) % 8 == 0 and storage_order(entries) == ["d", "b", "c", "a"]
    offsets = {name: of["data_offsets"] for name, of in json.loads(told[8:]).items() if name != "__metadata__"}
    assert offsets == {"d": [0, 8], "b": [8, 12], "c": [12, 20], "a": [20, 23]}


def test_what_the_format_has_not_is_refused():
    with pytest.raises(BadInput, match="'w' is of the type complex128, which safetensors files do not hold"):
        entry_of("w", np.zeros(2, complex))
    with pytest.raises(BadInput, match="leads out of a folder"):
        write_safetensors(io.BytesIO(), {"../w": np.zeros(2)})
    assert type_name(np.dtype(">f4")) == "F32" and type_name(np.dtype("U3")) is None
    file = io.BytesIO()
    write_safetensors(file, {"w": np.array([1, 2], ">f4")})
    assert safetensors.numpy.load(file.getvalue())["w"].tolist() == [1, 2]
