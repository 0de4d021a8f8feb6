"""Merges of checkpoints: what goes in and comes out, what is refused before a byte is written, what an interrupt leaves."""

import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from catallax import merging
from catallax.core.errors import BadInput, Refused
from catallax.io.checkpoints import open_model
from catallax.io.safetensors import write_safetensors
from catallax.merging.method import Method, key_of
from catallax.merging.output import shards, sweep
from catallax.merging.provenance import FORMAT

SOURCE = Path(__file__).parents[2] / "src"
BF16 = np.dtype(ml_dtypes.bfloat16)
CONFIG = {"model_type": "llama", "dtype": "float32", "tie_word_embeddings": False}


def arrays(seed, kind=np.float32, **more):
    """A small model."""
    random = np.random.default_rng(seed)
    shapes = {"embed": (7, 4), "layer.w": (4, 4), "layer.b": (4,), "scale": ()}
    return {name: np.asarray(random.normal(size=shape)).astype(kind) for name, shape in shapes.items()} | more


def saved(folder, named, config=CONFIG, **files):
    """A model's folder as Hugging Face lays it out."""
    folder.mkdir(parents=True)
    with open(folder / "model.safetensors", "wb") as file:
        write_safetensors(file, named, {"format": "pt"})
    for name, text in (files | {"config.json": json.dumps(config)}).items():
        (folder / name).write_text(text)
    return folder


def sharded(folder, parts, index=None):
    """A folder of shards; `index`: changes to its weight map."""
    folder.mkdir()
    where = {}
    for k, part in enumerate(parts, 1):
        name = f"model-{k:05}-of-{len(parts):05}.safetensors"
        safetensors.numpy.save_file(part, folder / name)
        where |= dict.fromkeys(part, name)
    told = {"metadata": {"total_size": 0}, "weight_map": where | (index or {})}
    (folder / "model.safetensors.index.json").write_text(json.dumps(told))
    return folder


def mean(models, weights=None):
    """The weighted mean in float64."""
    shares = np.full(len(models), 1 / len(models)) if weights is None else np.asarray(weights) / np.sum(weights)
    return {n: sum(w * m[n].astype(np.float64) for w, m in zip(shares, models)) for n in models[0]}


def left(folder):
    """Names of all that is in a folder."""
    return sorted(path.name for path in folder.iterdir())


# --- what goes in and comes out ---


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16, BF16])
def test_arrays_of_every_width_are_averaged_to_rounding(kind):
    models = [arrays(seed, kind) for seed in range(3)]
    found = merging.merge(models, weights=[1, 2, 5])
    step = 2.0 ** {np.float64: -50, np.float32: -22, np.float16: -11}.get(kind, -8)
    for name, wanted in mean(models, [1, 2, 5]).items():
        assert found.model[name].dtype == kind and found.model[name].shape == wanted.shape
        assert np.abs(found.model[name].astype(np.float64) - wanted).max() <= step * 4
    assert found.shares.tolist() == [1 / 8, 2 / 8, 5 / 8] and found.path is None


def test_modules_come_back_as_modules():
    one, two = (eqx.nn.MLP(2, 3, 5, 1, key=jax.random.key(seed)) for seed in range(2))
    found = merging.merge([one, two]).model
    assert jax.tree.structure(found) == jax.tree.structure(one)
    assert isinstance(found.layers[0].weight, jax.Array)
    assert jnp.allclose(found.layers[1].weight, (one.layers[1].weight + two.layers[1].weight) / 2)
    assert open_model(one).names[0] == "layers.0.weight"


def test_nested_arrays_come_back_nested():
    found = merging.merge([{"a": {"w": np.zeros(2)}, "b": [np.zeros(1)]}, {"a": {"w": np.ones(2)}, "b": [np.ones(1)]}])
    assert found.model["a"]["w"].tolist() == [0.5, 0.5] and found.model["b"][0].tolist() == [0.5]


def test_folders_in_and_out_with_all_that_belongs_to_a_model(tmp_path):
    a, b = arrays(0), arrays(1)
    saved(tmp_path / "a", a, **{"tokenizer.json": "{}", "README.md": "mine", "merges.txt": "#", "notes.bin": "no"})
    sharded(tmp_path / "b", [{"embed": b["embed"]}, {n: b[n] for n in b if n != "embed"}])
    said = []
    found = merging.merge(
        [tmp_path / "a", tmp_path / "b"],
        weights=[3, 1],
        out=tmp_path / "deep" / "ab",
        dtype="bfloat16",
        max_shard_bytes=60,
        look=lambda done, of, name: said.append((done, of)),
    )
    folder = tmp_path / "deep" / "ab"
    assert left(folder) == [
        *("README.md", "config.json", "merge.json", "merges.txt"),
        *("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"),
        "tokenizer.json",
    ]
    assert left(folder.parent) == ["ab"] and len(said) == 4
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == 2 * (28 + 16 + 4 + 1)
    read = {}
    for shard in set(index["weight_map"].values()):
        held = safetensors.numpy.load_file(folder / shard)
        assert {index["weight_map"][name] for name in held} == {shard}
        read |= held
    for name, wanted in mean([a, b], [3, 1]).items():
        assert read[name].dtype == BF16
        assert np.array_equal(read[name], wanted.astype(np.float32).astype(BF16)), name  # one rounding, to nearest
        assert np.array_equal(found.model.read(name), read[name])
    assert json.loads((folder / "config.json").read_text()) == CONFIG | {"dtype": "bfloat16"}


def test_the_card_and_the_record_say_what_it_was_made_of(tmp_path):
    a, b = saved(tmp_path / "a", arrays(0)), saved(tmp_path / "b", arrays(1))
    found = merging.merge([a, b], "ties", arrays(2), [3, 1], max_influence=0.6, out=tmp_path / "ab", density=0.25)
    record = json.loads((tmp_path / "ab" / "merge.json").read_text())
    assert record == found.record and record["format"] == FORMAT
    code = hashlib.sha256((a / "model.safetensors").read_bytes()).hexdigest()
    one = {"label": str(a), "weight": 0.75, "share": 0.6, "files": {"model.safetensors": code}}
    assert record["models"][0] == one
    assert record["settings"] == {"density": 0.25, "scale": 1.0} and record["max_influence"] == 0.6
    assert record["influence"]["herfindahl"] == pytest.approx(0.6**2 + 0.4**2)
    assert record["influence"]["effective_models"] == pytest.approx(1 / (0.6**2 + 0.4**2))
    assert set(record["base"]["files"]) == {"arrays"} and record["tensors"]["merged"] == 4
    card = (tmp_path / "ab" / "README.md").read_text()
    assert card.startswith("---\nbase_model:\n") and code[:16] in card and "at most 0.6 was allowed" in card


def test_a_file_carries_its_record_in_its_header(tmp_path):
    out = tmp_path / "ab.safetensors"
    for _ in range(2):  # the second takes the place of the first
        found = merging.merge([arrays(0), arrays(1)], out=out)
    with safetensors.safe_open(out, framework="numpy") as file:
        assert json.loads(file.metadata()["catallax"]) == found.record
    assert left(tmp_path) == ["ab.safetensors"] and found.model.names == tuple(safetensors.numpy.load_file(out))


def test_results_and_records_are_the_same_every_time(tmp_path):
    models = {"a": arrays(0), "b": arrays(1)}
    for out in ("one", "two"):
        merging.merge(models, "dare", arrays(2), seed=3, density=0.5, out=tmp_path / out)
    for name in left(tmp_path / "one"):
        one, two = ((tmp_path / out / name).read_text("latin-1") for out in ("one", "two"))
        assert one.replace("# one", "# two") == two


def test_a_function_of_deltas_is_a_method():
    models, base = [arrays(seed) for seed in range(3)], arrays(9)
    found = merging.merge(models, lambda deltas, weights: np.sign(deltas).sum(0) * weights[0], base, weights=[2, 1, 1])
    for name, array in found.model.items():
        wanted = base[name] + 0.5 * sum(np.sign(model[name] - base[name]) for model in models)
        assert np.array_equal(array, wanted.astype(np.float32))
    with pytest.raises(BadInput, match=r"returns the shape \[3, 7, 4\] for embed, where the tensor has \[7, 4\]"):
        merging.merge(models, lambda deltas, weights: deltas, base)


def test_pieces_add_up_to_the_tensor():
    sizes = (1 << 18) // 4 * 2 + 5  # of two pieces and a bit
    models = [{"w": np.arange(sizes, dtype=np.float32) * k} for k in (1, 3)]
    assert np.array_equal(merging.merge(models).model["w"], 2 * np.arange(sizes, dtype=np.float32))


def test_keys_of_draws_hang_on_name_and_seed_alone():
    assert len({key_of(name, seed) for name in ("a", "b") for seed in range(3)}) == 6
    assert key_of("a", 0) == key_of("a", 0) < 2**63


# --- influence ---


def test_the_cap_is_kept_and_who_has_no_weight_is_never_read():
    def unreadable(name):
        raise AssertionError("a model that was left out is read")

    gone = dataclasses.replace(open_model(arrays(3)), reader=unreadable)
    models = [arrays(0), gone, arrays(1), arrays(2)]
    found = merging.merge(models, weights=[8, 0, 1, 1], max_influence=0.5)
    assert found.shares.tolist() == [0.5, 0, 0.25, 0.25]
    assert "files" not in found.record["models"][1]
    wanted = mean([models[k] for k in (0, 2, 3)], [2, 1, 1])
    assert all(np.allclose(found.model[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (dict(max_influence=0.3), r"max_influence is 0.3 and there are 3 members.*\[0.3333, 1\]"),
        (dict(weights=[1, 0, 1], max_influence=0.4), r"there are 2 members.*\[0.5, 1\]"),
        (dict(weights=[1, 2]), "weights has 2 entries for 3 models"),
        (dict(weights=[1, 2, -1]), r"shares\[2\] is -1.0"),
        (dict(method="ties"), "ties merges what models have learnt since they were one: give that base"),
        (dict(method="tyes"), "no way of merging called 'tyes': give one of linear, "),
        (dict(density=0.5), "linear has no setting 'density': it has none"),
        (dict(method="ties", base=arrays(9), density=1.5), "density is 1.5: the share of a delta"),
        (dict(method="ties", base=arrays(9), density="much"), "a setting of ties is missing, or of a wrong kind"),
        (dict(method=3), "method is 3: give a name"),
        (dict(dtype="int8"), "dtype is 'int8': give one of F64, F32"),
        (dict(out="."), "exists already: give another path, or remove it"),
    ],
)
def test_what_makes_no_sense_is_refused(settings, said):
    with pytest.raises(BadInput, match=said):
        merging.merge([arrays(0), arrays(1), arrays(2)], **settings)


def test_a_method_that_picks_for_itself_keeps_to_the_cap_or_is_refused():
    @dataclasses.dataclass(frozen=True)
    class First(Method):
        name = "first"
        paper = ""

        def shares(self, weights):
            return np.eye(len(weights))[0]

        def combine(self, stack):
            return stack.values[0]

    assert merging.merge([arrays(0), arrays(1)], First()).shares.tolist() == [1, 0]
    with pytest.raises(
        Refused, match="first gives one model a share of 1, whatever the weights, and max_influence is 0.6"
    ):
        merging.merge([arrays(0), arrays(1)], First(), max_influence=0.6)


def test_models_have_to_be_several():
    with pytest.raises(BadInput, match="1 model to merge: give at least two"):
        merging.merge([arrays(0)])
    with pytest.raises(BadInput, match="models is one model's arrays"):
        merging.merge(arrays(0))
    with pytest.raises(BadInput, match="models is str"):
        merging.merge("a")
    with pytest.raises(BadInput, match="model 1 holds no arrays"):
        merging.merge([3.0, arrays(0)])


# --- what does not fit together ---


def without(model, *names):
    return {name: array for name, array in model.items() if name not in names}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            without(arrays(1), "embed"),
            "model 2 has no tensor 'embed', which model 1 has: only models of one architecture",
        ),
        (without(arrays(1), "embed", "scale"), r"no tensor 'embed'.*\(and 1 more\)"),
        (arrays(1, extra=np.zeros(2)), "model 1 has no tensor 'extra', which model 2 has"),
        (
            arrays(1, embed=np.zeros((8, 4), np.float32)),
            r"'embed' has the shape \[7, 4\] in model 1 and \[8, 4\] in model 2",
        ),
        (arrays(1, scale=np.float64(1)), "'scale' is F32 in model 1 and F64 in model 2: give dtype"),
        (arrays(1, scale=np.int8(1)), "'scale' is F32 in model 1 and I8 in model 2: whole numbers and floats"),
    ],
)
def test_unlike_models_are_refused(other, said, tmp_path):
    with pytest.raises(BadInput, match=said):
        merging.merge([arrays(0), other], out=tmp_path / "ab")
    with pytest.raises(BadInput, match=said.replace("model 2", "the base")):
        merging.merge([arrays(0), arrays(2)], "ties", other, out=tmp_path / "ab")
    assert not left(tmp_path)


def test_floats_of_unlike_width_need_the_type_of_the_result():
    found = merging.merge([arrays(0, BF16), arrays(1, np.float64)], dtype="F32").model
    wanted = mean([arrays(0, BF16), arrays(1, np.float64)])
    assert all(found[name].dtype == np.float32 and np.allclose(found[name], wanted[name]) for name in wanted)


def test_whole_numbers_are_copied_or_refused_and_never_averaged():
    ids = {"ids": np.arange(3, dtype=np.int64), "mask": np.array([True, False])}
    found = merging.merge([arrays(0, **ids), arrays(1, **ids)])
    assert found.model["ids"].tolist() == [0, 1, 2] and found.model["mask"].dtype == bool
    assert found.record["tensors"] == {"merged": 4, "copied": 2, "tied": {}}
    with pytest.raises(BadInput, match=r"'ids' \(I64\) differs between model 1 and model 2: only numbers with a point"):
        merging.merge([arrays(0, **ids), arrays(1, ids=np.arange(3)[::-1], mask=ids["mask"])])


def test_tied_weights_stay_tied():
    def tied(seed):
        model = arrays(seed)
        return model | {"head": model["embed"]}

    found = merging.merge([tied(0), tied(1)], "dare", tied(2), density=0.5)
    assert np.array_equal(found.model["head"], found.model["embed"]) and found.record["tensors"]["tied"]
    apart = merging.merge([tied(0), arrays(1, head=arrays(5)["embed"])])
    assert apart.notes == ["head and embed are one in model 1 but not in all models: the result has them apart"]
    ones = {"a": np.ones((2, 2)), "b": np.ones((2, 2))}  # alike, and not tied
    assert merging.merge([ones, ones]).record["tensors"]["tied"] == {}


def test_configurations_are_held_against_each_other(tmp_path):
    a = saved(tmp_path / "a", arrays(0), **{"tokenizer.json": "{}"})
    b = saved(tmp_path / "b", arrays(1), CONFIG | {"tie_word_embeddings": True})
    with pytest.raises(
        BadInput, match="tie_word_embeddings is False in the config.json of .*a and True in that of .*b"
    ):
        merging.merge([a, b])
    c = saved(tmp_path / "c", arrays(1), **{"tokenizer.json": "[]"})
    assert "tokens may mean other things" in merging.merge([a, c]).notes[0]
    (b / "config.json").write_text("{")
    with pytest.raises(BadInput, match=r"config.json is no JSON: fetch it again"):
        merging.merge([a, b])


@pytest.mark.parametrize(
    ("index", "said"),
    [
        (
            {"embed": "model-00002-of-00002.safetensors"},
            "says that 'embed' is in model-00002-of-00002.safetensors, and it is not",
        ),
        ({"more": "model-00001-of-00002.safetensors"}, "says that 'more' is in model-00001"),
        ({"more": "../x.safetensors"}, "speaks of the file '../x.safetensors': shards lie in the folder"),
        ({"more": "x.safetensors"}, "x.safetensors is missing, and model.safetensors.index.json speaks of it"),
        ({"more": 3}, "has no weight_map from tensors to files"),
    ],
)
def test_shards_are_held_against_their_index(index, said, tmp_path):
    model = arrays(0)
    parts = [{"embed": model["embed"]}, without(model, "embed")]
    with pytest.raises(BadInput, match=said):
        open_model(sharded(tmp_path / "a", parts, index))


def test_folders_without_a_model_are_said_to_be_so(tmp_path):
    with pytest.raises(BadInput, match="holds no safetensors file"):
        open_model(tmp_path)
    (tmp_path / "pytorch_model.bin").touch()
    with pytest.raises(BadInput, match=r"may run code when it is read \(pickle\)"):
        open_model(tmp_path / "pytorch_model.bin")
    for name in ("x", "y"):
        safetensors.numpy.save_file(arrays(0), tmp_path / f"{name}.safetensors")
    with pytest.raises(BadInput, match=r"holds 2 safetensors files and no model.safetensors.index.json"):
        open_model(tmp_path)
    part = {"model-1.safetensors": "w"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {v: k for k, v in part.items()}}))
    with pytest.raises(BadInput, match="model-1.safetensors is missing"):
        open_model(tmp_path)
    safetensors.numpy.save_file({"w": np.ones(1), "v": np.ones(1)}, tmp_path / "model-1.safetensors")
    with pytest.raises(BadInput, match="holds 'v', and in model.safetensors.index.json it does not speak of it"):
        open_model(tmp_path)


def test_a_full_disk_is_known_beforehand(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 1 << 20})
    monkeypatch.setattr("shutil.disk_usage", lambda place: usage)
    with pytest.raises(BadInput, match=r"the result takes 196 bytes, and 1,048,576 are left in"):
        merging.merge([arrays(0), arrays(1)], out=tmp_path / "ab")
    assert not left(tmp_path)


# --- what is no number ---


@pytest.mark.parametrize("method", ["linear", "ties", "median"])
@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16, BF16])
def test_nan_and_inf_are_named_tensor_by_tensor_and_nothing_is_written(method, kind, tmp_path):
    a, b = arrays(0, kind), arrays(1, kind)
    a["layer.w"][0, :2] = np.nan
    b["layer.w"][1, 1] = -np.inf
    b["embed"][:] = np.inf
    said = "embed of b holds 28 Inf; layer.w of a holds 2 NaN; layer.w of b holds 1 Inf: mend the model"
    for options in (dict(), dict(max_shard_bytes=40)):
        with pytest.raises(BadInput) as error:
            merging.merge({"a": a, "b": b}, method, arrays(2, kind), out=tmp_path / "ab", **options)
        assert set(str(error.value).split(": mend")[0].split("; ")) == set(said.split(": mend")[0].split("; "))
    assert not left(tmp_path)


def test_what_is_no_number_is_merged_where_it_is_allowed():
    a = arrays(0)
    a["layer.b"][1] = np.nan
    found = merging.merge({"a": a, "b": arrays(1)}, allow_nan=True)
    assert np.isnan(found.model["layer.b"]).tolist() == [False, True, False, False]
    assert found.broken["layer.b"]["a"] == (1, 0) and found.record["not_numbers"] == {"layer.b": {"a": "1 NaN"}}


def test_a_result_that_overflows_is_refused():
    models = [{"w": np.full(3, 60_000, np.float16)}, {"w": np.full(3, 50_000, np.float16)}]
    with pytest.raises(BadInput, match="w would hold 3 Inf in F16, and no model's does: merge with smaller steps"):
        merging.merge(models, lambda deltas, weights: deltas.sum(0))


# --- interrupts ---


def test_ctrl_c_leaves_nothing(tmp_path):
    def interrupted(deltas, weights):
        raise KeyboardInterrupt

    for out in ("deep/er/ab", "ab.safetensors"):
        with pytest.raises(KeyboardInterrupt):
            merging.merge([arrays(0), arrays(1)], interrupted, out=tmp_path / out)
    assert not left(tmp_path)


KILLED = """
import sys, time
import numpy as np
from catallax.merging import merge
assert "jax" not in sys.modules
def slow(deltas, weights):
    print("in the middle", flush=True)
    time.sleep(60)
model = {"w": np.ones(3, np.float32)}
merge([model, model], slow, out=sys.argv[1])
"""


@pytest.mark.parametrize("name", ["ab", "ab.safetensors"])
def test_a_process_that_is_killed_leaves_no_model_and_the_next_merge_sweeps(name, tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path / name)]
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout.readline() == b"in the middle\n"
        os.kill(process.pid, signal.SIGKILL)
    assert left(tmp_path) == [f"{name}.{process.pid}.part"]
    merging.merge([arrays(0), arrays(1)], out=tmp_path / name)
    assert left(tmp_path) == [name]


def test_what_others_are_writing_is_left_alone(tmp_path):
    for name in (f"ab.{os.getpid()}.part", "ab.x.part", "ab.part", "abc.999999999.part"):
        (tmp_path / name).mkdir()
    (tmp_path / "ab.999999999.part").touch()
    sweep(tmp_path / "ab")
    assert left(tmp_path) == sorted(["ab.part", f"ab.{os.getpid()}.part", "ab.x.part", "abc.999999999.part"])


def test_shards_hold_what_fits_and_at_least_one_tensor():
    entries = open_model({name: np.zeros(size, np.uint8) for name, size in zip("abcde", (3, 3, 9, 1, 1))}).entries
    assert [list(part) for part in shards(entries, 6)] == [["a", "b"], ["c"], ["d", "e"]]
    assert [list(part) for part in shards(entries, 100)] == [list("abcde")]


# --- who leaves ---


@pytest.mark.parametrize("method", ["linear", "task-arithmetic"])
def test_who_leaves_leaves_nothing_behind_and_the_rest_is_as_if_it_had_never_come(method, tmp_path):
    models, base = {name: arrays(k, np.float64) for k, name in enumerate("abc")}, arrays(9, np.float64)
    ground = base if method == "task-arithmetic" else None
    settings = dict(scale=0.3) if ground else {}
    for out in (None, tmp_path / "abc", tmp_path / "abc.safetensors"):
        found = merging.merge(models, method, ground, out=out, **settings)
        rest = merging.leave(found if out is None else out, "b", models["b"], ground)
        wanted = merging.merge([models["a"], models["c"]], method, ground, **settings).model
        assert all(np.allclose(rest.model[name], wanted[name], rtol=1e-12, atol=1e-12) for name in wanted)
        assert rest.shares.tolist() == pytest.approx([0.5, 0, 0.5]) and rest.notes == [
            "b has left: what it brought was subtracted"
        ]
    last = merging.leave(rest, "a", models["a"], ground, out=tmp_path / "c")
    assert np.allclose(
        last.model.read("embed"),
        models["c"]["embed"] if not ground else base["embed"] + 0.3 * (models["c"]["embed"] - base["embed"]),
    )
    assert json.loads((tmp_path / "c" / "merge.json").read_text())["models"][0]["weight"] == 0


def test_a_cap_that_no_longer_holds_is_said_and_forgotten():
    models = {name: arrays(k, np.float64) for k, name in enumerate("abcd")}
    found = merging.merge(models, weights=[8, 1, 1, 1], max_influence=0.4)
    first = merging.leave(found, "b", models["b"])
    assert first.shares.tolist() == pytest.approx([0.5, 0, 0.25, 0.25]) and first.record["max_influence"] is None
    assert first.notes[-1] == "the largest share was at most 0.4 and is 0.5 now: merge again to cap it"
    wanted = mean([models["a"], models["d"]], [2, 1])
    assert np.allclose(merging.leave(first, "c", models["c"]).model["embed"], wanted["embed"], atol=1e-12)


def test_who_cannot_leave_is_told_why(tmp_path):
    models = {name: arrays(k) for k, name in enumerate("abc")}
    ties = merging.merge(models, "ties", arrays(9))
    with pytest.raises(
        Refused, match="b cannot leave: of ties, it is no sum of which one's part could be taken away; merge"
    ):
        merging.leave(ties, "b", models["b"], arrays(9))
    found = merging.merge(models, weights=[1, 1, 0])
    for gone, model, said in (
        ("d", models["a"], "no member of the merge is 'd', or several are: give one of a, b, c"),
        ("c", models["c"], "c has no share of the merge, or all of it"),
        (1, models["a"], "model is not what was merged as b: its sha256 is another"),
    ):
        with pytest.raises(BadInput, match=said):
            merging.leave(found, gone, model)
    with pytest.raises(BadInput, match="carries no record of a merge"):
        merging.leave(saved(tmp_path / "a", models["a"]), "a", models["a"])
