"""`catallax merge` as a user types it: models or a recipe, one object, codes, and nothing half-written."""

import json

import numpy as np
import pytest
import safetensors.numpy

from catallax import merging
from catallax.cli.merge import in_bytes, set_by
from catallax.core.errors import BadInput


@pytest.fixture
def models(tmp_path):
    """Three models as files."""
    paths = []
    for k, name in enumerate("abc"):
        random = np.random.default_rng(k)
        path = tmp_path / f"{name}.safetensors"
        safetensors.numpy.save_file({"w": random.normal(size=(3, 2)), "b": random.normal(size=2)}, path)
        paths.append(path)
    return paths


def test_one_object_agrees_with_the_library(told, models, tmp_path):
    out = tmp_path / "out"
    result = told("merge", *models, "--weights", "5,1,2", "--max-influence", "0.5", "--out", out)
    assert list(result)[:3] == ["schema", "command", "system"] and result["command"] == "merge"
    assert [of["share"] for of in result["models"]] == [0.5, 0.1875, 0.3125] and result["max_influence"] == 0.5
    found = merging.merge(models, weights=[5, 1, 2], max_influence=0.5)
    read = safetensors.numpy.load_file(out / "model.safetensors")
    assert all(np.array_equal(read[name], found.model[name]) for name in ("w", "b"))
    assert result["out"] == str(out) and json.loads((out / "merge.json").read_text())["models"] == result["models"]


def test_the_table_says_who_has_how_much(catallax, models, tmp_path):
    result = catallax("merge", *models, "--method", "median", "--out", tmp_path / "m.safetensors")
    assert result.exit_code == 0 and "3 models merged by median into" in result.stdout
    assert "0.3333" in result.stdout and (tmp_path / "m.safetensors").is_file()


def test_a_recipe_says_the_same_as_the_command_line(told, models, tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        'method = "task-arithmetic"\nbase = "c.safetensors"\nout = "one"\nmax_shard_size = "24B"\n'
        '[settings]\nscale = 0.5\n[[models]]\npath = "a.safetensors"\nweight = 3\n[[models]]\npath = "b.safetensors"\n'
    )
    by_recipe = told("merge", recipe)
    words = ("--method", "task-arithmetic", "--base", models[2], "--weights", "3,1", "--scale", "0.5")
    by_words = told("merge", *models[:2], *words, "--out", tmp_path / "two", "--max-shard-size", "24B")
    for result in (by_recipe, by_words):
        for name in ("out", "headline"):
            result.pop(name)
    assert by_recipe == by_words and by_recipe["settings"]["scale"] == 0.5
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "two").iterdir()) and len(names) == 5
    for shard in ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"):
        assert (tmp_path / "one" / shard).read_bytes() == (tmp_path / "two" / shard).read_bytes()


def test_units_are_aligned_first(told, tmp_path):
    random = np.random.default_rng(0)
    first, last = random.normal(size=(4, 3)), random.normal(size=(2, 4))
    order = [2, 0, 3, 1]
    for name, layers in {"a": (first, last), "b": (first[order], last[:, order])}.items():
        safetensors.numpy.save_file(
            dict(zip(("0", "1"), map(np.ascontiguousarray, layers))), tmp_path / f"{name}.safetensors"
        )
    (tmp_path / "units.json").write_text('{"0": ["hidden", null], "1": [null, "hidden"]}')
    paths = [tmp_path / f"{name}.safetensors" for name in "ab"]
    told("merge", *paths, "--align", tmp_path / "units.json", "--out", tmp_path / "ab.safetensors")
    found = safetensors.numpy.load_file(tmp_path / "ab.safetensors")
    assert np.allclose(found["0"], first) and np.allclose(found["1"], last)


def test_layers_one_after_the_other_need_no_file(told, tmp_path):
    random, order = np.random.default_rng(0), [2, 0, 3, 1]
    one = {
        "2.weight": random.normal(size=(4, 3)),
        "2.bias": random.normal(size=4),
        "10.weight": random.normal(size=(2, 4)),
    }
    other = {
        "2.weight": one["2.weight"][order],
        "2.bias": one["2.bias"][order],
        "10.weight": one["10.weight"][:, order],
    }
    for name, model in {"a": one, "b": other}.items():
        safetensors.numpy.save_file(
            {k: np.ascontiguousarray(v) for k, v in model.items()}, tmp_path / f"{name}.safetensors"
        )
    paths = [tmp_path / f"{name}.safetensors" for name in "ab"]
    told("merge", *paths, "--align", "chain", "--out", tmp_path / "ab.safetensors")
    found = safetensors.numpy.load_file(tmp_path / "ab.safetensors")
    assert found.keys() == one.keys() and all(np.allclose(found[name], one[name]) for name in one)


def test_a_recipe_names_what_each_model_publishes(told, models, tmp_path):
    sure = safetensors.numpy.load_file(models[0])
    names = ["fa.safetensors", "fb.safetensors"]
    for name, factor in zip(names, (1.0, 3.0), strict=True):
        safetensors.numpy.save_file({k: np.full_like(v, factor) for k, v in sure.items()}, tmp_path / name)
    (tmp_path / "recipe.toml").write_text(
        'method = "fisher"\nout = "m.safetensors"\n[settings]\nnormalise = false\nfishers = ["fa.safetensors", "fb.safetensors"]\n'
        '[[models]]\npath = "a.safetensors"\n[[models]]\npath = "b.safetensors"\n'
    )
    result = told("merge", tmp_path / "recipe.toml")
    assert [of["share"] for of in result["models"]] == pytest.approx([0.25, 0.75], abs=1e-3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no --out: say where the merged model shall go"),
        (["--out", "{}/a.safetensors/x"], "a.safetensors is no folder"),
        (["--out", "{}/x", "--weights", "1,two"], "weights are '1,two': give numbers with commas between"),
        (["--out", "{}/x", "--method", "ties"], "give that base"),
        (["--out", "{}/x", "--set", "density"], "--set density: give name=value"),
        (["--out", "{}/x", "--density", "0.5"], "linear has no setting 'density'"),
        (["--out", "{}/x", "--max-influence", "0.2"], "max_influence is 0.2 and there are 3 members"),
        (["--out", "{}/x", "--max-shard-size", "much"], "max_shard_size is 'much'"),
        (["--out", "{}/x", "--align", "{}/a.safetensors"], "a.safetensors is no JSON"),
        (["--out", "{}/x", "--align", "chain"], "0 layers have no hidden units between them"),
    ],
)
def test_faults_are_sentences_and_leave_nothing(words, said, catallax, models, tmp_path):
    before = sorted(path.name for path in tmp_path.iterdir())
    result = catallax("merge", *models, *(word.replace("{}", str(tmp_path)) for word in words))
    assert result.exit_code == 2 and said in result.stderr and result.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("method = ", "is no TOML"),
        ('how = "ties"', "speaks of how: a recipe has method"),
        ('out = "x"', "models are told one by one"),
        ('models = ["a"]', "models are told one by one"),
        ("[[models]]\nweight = 1", "a model has no path"),
        ('settings = 3\n[[models]]\npath = "a"', "settings is 3: write [settings]"),
        ('[settings]\nfishers = "f"\n[[models]]\npath = "a"', "fishers is 'f': give a list of paths"),
        ('[settings]\ngrams = [1]\n[[models]]\npath = "a"', "grams is [1]: give a list of paths"),
        ('align = 3\n[[models]]\npath = "a"', "align is 3: give a path"),
    ],
)
def test_recipes_are_checked(text, said, catallax, tmp_path):
    (tmp_path / "r.toml").write_text(text)
    result = catallax("merge", tmp_path / "r.toml")
    assert result.exit_code == 2 and said in result.stderr


def test_sizes_and_settings_are_read_as_they_are_said():
    assert [in_bytes(size) for size in ("7", "24B", "1.5KB", "5GB", "2 mb", 3)] == [
        7,
        24,
        1500,
        5 * 10**9,
        2 * 10**6,
        3,
    ]
    assert set_by(["a=0.5", 'b=["x"]', "c=word", "d=null"]) == {"a": 0.5, "b": ["x"], "c": "word", "d": None}
    for size in ("0", "-1", "GB"):
        with pytest.raises(BadInput, match="max_shard_size"):
            in_bytes(size)
