"""A run that is cut and taken up again, anywhere, is the run that was never cut; what does not fit is refused."""

import functools
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from catallax.core import checkpoint, disk
from catallax.core.agent import Agent, HostAgent
from catallax.core.channel import Channel
from catallax.core.checkpoint import annotate, describe_run, load, resume
from catallax.core.errors import BadInput, Damaged, Refused
from catallax.core.random import host_fold_in, key
from catallax.core.record import Record
from catallax.core.run import run
from catallax.core.signal import Signal
from catallax.core.society import HostSociety, Society
from catallax.economy import Exchange

pytestmark = pytest.mark.as_users_compile

KILLS = 2


@functools.cache
def economy(seed: int = 0) -> Exchange:
    return Exchange.drawn(seed, traders=8)


class Walker(Agent):
    """Drifts at random towards the mean, with a key of its own, and a place in bfloat16."""

    place: Any
    rough: Any
    key: Any
    pull: Any

    def respond(self, view, key):
        own, mine = jax.random.split(self.key)
        step = jax.random.normal(key) + 0.1 * jax.random.normal(mine)
        place = self.place + 0.1 * step + self.pull * (view.public - self.place)
        return Walker(place, place.astype(jnp.bfloat16), own, self.pull), place


class Mean(Signal):
    """The mean place; of two populations, of both together."""

    place: Any
    weight: Any

    def public(self):
        return self.place

    def listen(self, actions):
        return sum(x.sum() for x in jax.tree.leaves(actions))

    def propagate(self, summary):
        return Mean(0.5 * self.place + 0.5 * self.weight * summary, self.weight)

    def unrest(self, summary):
        return jnp.abs(self.place - self.weight * summary)


def walkers(agents: int, seed: int = 0) -> Walker:
    start = jnp.linspace(-1.0, 1.0, agents)
    return Walker(start, start.astype(jnp.bfloat16), jax.random.split(key(seed), agents), jnp.float32(0.2))


class Dice(HostAgent):
    """Counts its throws; written as a kernel is, in place."""

    count: Any
    last: Any

    def respond_all(self, view, key):
        throws = host_fold_in(key, np.arange(self.count.size))[:, 0] % 6
        self.count[:] += throws
        return Dice(self.count, throws), throws


class Log(Signal):
    """A queue that grows, a number, a label and a key: all that a host may keep."""

    queue: Any
    total: float
    name: str
    key: Any

    def public(self):
        return self.total

    def propagate(self, summary):
        return Log(np.append(self.queue, summary), self.total + float(summary) / 3, self.name, self.key)

    def unrest(self, summary):
        return 1.0 / self.total if self.total else np.inf


def dice() -> HostSociety:
    return HostSociety(
        Dice(np.zeros(4, np.uint64), np.zeros(4, np.uint32)), Log(np.zeros(0), 0.0, "log", jax.random.key(3))
    )


PLACES = Record(every=3, place=lambda s: s.signal.place)
PRICES = Record(every=3, price=lambda s: s.signal.public())
BOARD = Record(every=3, count=lambda s: s.agents.count, total=lambda s: s.signal.total)
TWO = Society((walkers(6), walkers(4, 1)), Mean(jnp.float32(0), jnp.float32(0.1)))
ONE = Society(walkers(8), Mean(jnp.float32(0), jnp.float32(0.125)))

POOR = {"activation": 0.5, "channel": Channel(bits=6, noise=0.02, delay=4, loss=0.2)}

CASES = {
    "posts": (economy, PRICES, {}),
    "draws, bfloat16, keys": (ONE, PLACES, {}),
    "some asleep": (ONE, PLACES, {"activation": 0.5}),
    "standing orders, bits, noise, delay, loss": (lambda: economy().society(), PRICES, POOR),
    "random order": (ONE, PLACES, {"activation": "random order"}),
    "influencers": (lambda: economy().society(0.5), PRICES, {}),
    "two populations": (TWO, PLACES, {"seed": 2**63}),
    "host": (dice, BOARD, {"seed": 5}),
}


def fresh(problem):
    return problem() if not isinstance(problem, eqx.Module) else problem


def assert_same(outcome, other, folder: Path, other_folder: Path) -> None:
    """Status, rounds, every leaf (what is under way and standing orders too), every row."""
    assert (outcome.status, outcome.rounds, outcome.unrest) == (other.status, other.rounds, other.unrest)
    assert outcome.digest() == other.digest()
    one, two = load(folder), load(other_folder)
    assert one.head == two.head
    assert len(one.leaves) == len(two.leaves) > 0
    for a, b in zip(one.leaves, two.leaves, strict=True):
        assert a.dtype == b.dtype and a.tobytes() == b.tobytes()
    assert list(outcome.record) == list(other.record)
    for name, rows in outcome.record.items():
        assert rows.dtype == other.record[name].dtype
        np.testing.assert_array_equal(rows, other.record[name])


@pytest.mark.parametrize("name", CASES)
def test_resumed_is_uninterrupted(name, tmp_path):
    problem, record, switches = CASES[name]
    whole = run(fresh(problem), 40, record=record, checkpoint=tmp_path / "whole", **switches)
    run(fresh(problem), 17, record=record, checkpoint=tmp_path / "cut", **switches)
    resume(fresh(problem), tmp_path / "cut", rounds=26, record=record)
    went_on = resume(fresh(problem), tmp_path / "cut", rounds=40, record=record)
    assert_same(whole, went_on, tmp_path / "whole", tmp_path / "cut")
    assert len(whole.record["round"]) == 14


def test_resumed_until_rest(tmp_path):
    whole = run(economy(), 500, tolerance=1e-5, record=PRICES, checkpoint=tmp_path / "whole")
    assert whole.status == "settled" and 9 < whole.rounds < 500
    stopped = run(economy(), 500, tolerance=1e-5, record=PRICES, checkpoint=tmp_path / "cut", look=lambda frame: True)
    assert stopped.status == "stopped" and stopped.rounds < 9
    went_on = resume(economy(), tmp_path / "cut", record=PRICES)
    assert_same(whole, went_on, tmp_path / "whole", tmp_path / "cut")
    again = resume(economy(), tmp_path / "cut", record=PRICES)  # at rest: not one round more
    assert_same(whole, again, tmp_path / "whole", tmp_path / "cut")
    assert describe_run(tmp_path / "cut")["finished"]


def test_resumed_on_other_devices(tmp_path):
    whole = run(ONE, 30, record=PLACES, blocks=4, checkpoint=tmp_path / "whole")
    run(ONE, 11, record=PLACES, blocks=4, devices=4, checkpoint=tmp_path / "cut")
    assert load(tmp_path / "cut").head["devices"] == 4
    went_on = resume(ONE, tmp_path / "cut", rounds=30, record=PLACES, devices=jax.devices()[:2])
    assert load(tmp_path / "cut").head["devices"] == 2
    assert whole.digest() == went_on.digest()
    for name, rows in whole.record.items():
        np.testing.assert_array_equal(rows, went_on.record[name])


def test_resumed_on_as_many_devices_as_before(tmp_path):
    run(ONE, 5, devices=2, checkpoint=tmp_path)
    outcome = resume(ONE, tmp_path, rounds=8)
    assert len(outcome.society.agents.place.sharding.device_set) == 2


def test_broken_stays_broken(tmp_path):
    broken = eqx.tree_at(lambda s: s.signal.place, ONE, jnp.float32(np.nan))
    first = run(broken, 50, checkpoint=tmp_path)
    again = resume(broken, tmp_path)
    assert first.status == again.status == "broken" and first.rounds == again.rounds < 50


def test_ctrl_c_leaves_what_is_done(tmp_path):
    def interrupt(frame):
        if frame.round < 100_000:
            os.kill(os.getpid(), signal.SIGINT)

    whole = run(ONE, 400, record=PLACES, checkpoint=tmp_path / "whole")
    cut = run(ONE, 400, record=PLACES, checkpoint=tmp_path / "cut", look=interrupt)
    assert cut.status == "interrupted" and 0 < cut.rounds < 400
    assert load(tmp_path / "cut").round == cut.rounds
    went_on = resume(ONE, tmp_path / "cut", record=PLACES)
    assert_same(whole, went_on, tmp_path / "whole", tmp_path / "cut")


def test_other_versions_are_noted(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "maker", lambda: {"jax": "0.0.1"})
    run(ONE, 3, checkpoint=tmp_path)
    monkeypatch.setattr(checkpoint, "maker", lambda: {"jax": "0.0.2"})
    (note,) = resume(ONE, tmp_path, rounds=4).notes
    assert "jax 0.0.1 instead of 0.0.2" in note


# --- writing ---


def test_there_is_a_checkpoint_before_the_first_round(tmp_path):
    run(ONE, 0, record=PLACES, checkpoint=tmp_path / "cut")
    assert load(tmp_path / "cut").round == 0
    whole = run(ONE, 6, record=PLACES)
    assert resume(ONE, tmp_path / "cut", rounds=6, record=PLACES).digest() == whole.digest()


@pytest.mark.parametrize(("seconds", "least", "most"), [(1e9, 2, 2), (0.0, 4, 10**6)])
def test_writes_every_few_seconds_and_at_the_end(seconds, least, most, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(checkpoint, "SECONDS", seconds)
    monkeypatch.setattr(checkpoint, "PAUSE", 0.0)
    monkeypatch.setattr(checkpoint, "seal", lambda file: (written.append(file.name), disk.seal(file)))
    run(ONE, 20_000, checkpoint=tmp_path)
    assert least <= len(written) <= most
    assert load(tmp_path).round == 20_000
    assert os.listdir(tmp_path) == ["state.npz"]


def test_a_failed_write_leaves_the_one_before(tmp_path, monkeypatch):
    run(ONE, 5, checkpoint=tmp_path)
    before = snapshot(tmp_path)

    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "seal", full)
    with pytest.raises(OSError, match="No space left"):
        resume(ONE, tmp_path, rounds=9)
    assert snapshot(tmp_path) == before


def test_parts_of_killed_processes_are_cleaned(tmp_path):
    (tmp_path / "record").mkdir()
    for stale in (tmp_path / "state.npz.1.part", tmp_path / "record" / "place.1.part"):
        stale.write_bytes(b"half")
    run(ONE, 5, record=PLACES, checkpoint=tmp_path)
    assert not list(tmp_path.rglob("*.part"))
    (tmp_path / "state.npz.2.part").write_bytes(b"half")
    resume(ONE, tmp_path, rounds=6, record=PLACES)
    assert not list(tmp_path.rglob("*.part"))


def test_beginning_anew_where_a_run_is(tmp_path):
    first = run(ONE, 12, record=PLACES, checkpoint=tmp_path)
    before = np.array(first.record["place"])
    again = run(ONE, 12, record=PLACES, checkpoint=tmp_path)  # the very same, and at its end
    assert again.digest() == first.digest()
    np.testing.assert_array_equal(first.record["place"], before)  # what was mapped is still there
    resting = snapshot(tmp_path)
    for begin in (
        lambda: run(ONE, 13, record=PLACES, checkpoint=tmp_path),
        lambda: run(ONE, 12, 1, record=PLACES, checkpoint=tmp_path),
        lambda: run(ONE, 12, checkpoint=tmp_path),
        lambda: run(TWO, 12, record=PLACES, checkpoint=tmp_path),
        lambda: run(dice(), 12, checkpoint=tmp_path),
    ):
        with pytest.raises(BadInput, match="already holds a run at round 12 of 12"):
            begin()
    assert snapshot(tmp_path) == resting


def test_beginning_anew_is_killed_at_once(tmp_path, monkeypatch):
    """The old state does not stay beside new rows: there is then no checkpoint, and the run begins again."""
    run(ONE, 12, record=PLACES, checkpoint=tmp_path)

    def killed(path, rows, before):
        raise SystemExit

    monkeypatch.setattr("catallax.core.record.append", killed)
    with pytest.raises(SystemExit):
        run(ONE, 12, record=PLACES, checkpoint=tmp_path)
    monkeypatch.undo()
    refused(tmp_path, "holds no checkpoint")
    assert len(run(ONE, 12, record=PLACES, checkpoint=tmp_path).record["place"]) == 5


def test_beginning_anew_where_an_unfinished_run_or_something_else_is(tmp_path):
    run(ONE, 10**6, checkpoint=tmp_path, look=lambda frame: True)
    with pytest.raises(BadInput, match="go on with it by resume"):
        run(ONE, 10**6, checkpoint=tmp_path)
    (tmp_path / "state.npz").write_bytes(b"mine")
    with pytest.raises(BadInput, match="give another folder"):
        run(ONE, 10, checkpoint=tmp_path)
    with pytest.raises(BadInput, match=r"state\.npz cannot be made a folder"):
        run(ONE, 10, checkpoint=tmp_path / "state.npz")
    assert (tmp_path / "state.npz").read_bytes() == b"mine"


def test_a_refused_switch_writes_nothing(tmp_path):
    with pytest.raises(BadInput, match="do not divide"):
        run(ONE, 10, blocks=3, devices=2, checkpoint=tmp_path / "new")
    with pytest.raises(BadInput, match="returns a tuple"):
        run(ONE, 10, record=Record(place=lambda s: (s.signal.place, 1)), checkpoint=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_host_societies_that_cannot_be_written_are_refused(tmp_path):
    odd = eqx.tree_at(lambda s: s.signal.queue, dice(), {1, 2})
    with pytest.raises(Refused, match=r"HostSociety\.signal\.queue is a set"):
        run(odd, 3, checkpoint=tmp_path / "new")
    assert not (tmp_path / "new").exists()
    with pytest.raises(Refused, match="Python objects"):
        run(eqx.tree_at(lambda s: s.signal.queue, dice(), np.array([None])), 3, checkpoint=tmp_path / "other")

    class Renamed(Log):
        def propagate(self, summary):
            return Renamed(self.queue, self.total, self.name + "!", self.key)

    society = dice()
    society = HostSociety(society.agents, Renamed(*jax.tree.leaves(society.signal)))
    with pytest.raises(Refused, match="besides arrays and numbers"):
        run(society, 3, checkpoint=tmp_path / "third")


# --- refusals ---


def snapshot(folder: Path) -> dict:
    return {str(p): (p.stat().st_mtime_ns, p.read_bytes()) for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    run(ONE, 7, record=PLACES, checkpoint=folder)
    return folder


@pytest.fixture
def saved(made, tmp_path):
    """A checkpoint to be spoilt."""
    for path in made.rglob("*.np[yz]"):
        copy = tmp_path / "saved" / path.relative_to(made)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return tmp_path / "saved"


def refused(folder: Path, match: str, problem=ONE, error=Damaged, record=PLACES, **more) -> None:
    """One sentence, and nothing has changed."""
    before = snapshot(folder)
    with pytest.raises(error, match=match) as caught:
        resume(problem, folder, rounds=more.pop("rounds", 12), record=record, **more)
    assert "\n" not in str(caught.value) and caught.value.__cause__ is None
    assert snapshot(folder) == before


def test_truncated_anywhere(saved):
    path = saved / "state.npz"
    data = path.read_bytes()
    for length in [0, 1, 2, 63, 64, 65, *np.linspace(66, len(data) - 1, 40).astype(int)]:
        path.write_bytes(data[:length])
        refused(saved, "cut short or changed")
    path.write_bytes(data + b"\0")
    refused(saved, "cut short or changed")


def test_any_bit_flipped(saved):
    path = saved / "state.npz"
    data = path.read_bytes()
    for bit in np.linspace(0, 8 * len(data) - 1, 60).astype(int):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        refused(saved, "cut short or changed")


def test_not_a_checkpoint(saved, tmp_path):
    path = saved / "state.npz"
    np.savez(path, header=np.zeros(3), leaf0=np.zeros(4))
    refused(saved, "file of another kind")
    path.write_text("I am a text. " * 20)
    refused(saved, "file of another kind")
    path.unlink()
    refused(saved, r"holds no checkpoint: there is no state\.npz")
    refused(tmp_path / "nowhere", "holds no checkpoint")
    assert not (tmp_path / "nowhere").exists()


def test_another_version(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "FORMAT", "catallax checkpoint 0")
    run(ONE, 2, checkpoint=tmp_path)
    monkeypatch.undo()
    refused(tmp_path, "another version .*checkpoint 0.*checkpoint 1", record=None)


def test_another_problem(saved, tmp_path):
    others = {
        "facts": eqx.tree_at(lambda s: s.agents.pull, ONE, jnp.float32(0.3)),
        "shapes": Society(walkers(9), ONE.signal),
        "populations": TWO,
        "ids": Society(ONE.agents, ONE.signal, np.arange(8)[::-1].copy()),
        "keys": eqx.tree_at(lambda s: s.agents.key, ONE, jax.random.split(jax.random.key(0), 8)),
        "host": dice(),
    }
    for other in others.values():
        refused(saved, "is of another problem, or of the same with other facts", other)
    moved = eqx.tree_at(lambda s: s.agents.place, ONE, ONE.agents.place + 1)
    assert resume(moved, saved, rounds=7, record=PLACES).rounds == 7  # state is not a fact

    own = economy()
    run(own, 3, checkpoint=tmp_path / "economy")
    for other in (
        Exchange(own.endowment, own.taste, own.elasticity, law="multiplicative"),
        Exchange(own.endowment, own.taste, own.elasticity, step=0.4),
        economy(1),
        own.society(0.5),
    ):
        refused(tmp_path / "economy", "another problem", other, record=None)

    run(dice(), 3, checkpoint=tmp_path / "dice")
    changed = dice()
    changed.agents.count[0] = 1
    refused(tmp_path / "dice", "another problem", changed, record=None)
    refused(tmp_path / "dice", "another problem", ONE, record=None)


def test_recorded_rows_missing_or_cut(saved):
    path = saved / "record" / "place.npy"
    data = path.read_bytes()
    for spoilt, match in (
        (data[:-1], "holds 2 rows where the checkpoint says 3"),
        (data[:200], "is not a file of recorded rows"),
        (b"", "is not a file of recorded rows"),
        (b"a text " * 100, "is not a file of recorded rows"),
        (data.replace(b"(3,)", b"(2,)"), "holds 2 rows"),
        (data.replace(b"<f4", b"|O4"), "is not a file of recorded rows"),
    ):
        path.write_bytes(spoilt)
        refused(saved, match)
    path.unlink()
    refused(saved, "is missing or cannot be read")


def test_another_record_or_fewer_rounds(saved):
    place = PLACES.values["place"]
    refused(saved, "was made with a Record of unrest, place every 3 rounds", error=BadInput, record=None)
    refused(saved, "every 3 rounds", error=BadInput, record=Record(every=4, place=place))
    refused(saved, "every 3 rounds", error=BadInput, record=Record(every=3, other=place))
    refused(saved, "rounds is 3 where .* has come to 7", error=BadInput, rounds=3)
    refused(saved, "JAX sees 4", error=BadInput, devices=64)
    wider = Record(every=3, place=lambda s: s.agents.place)
    refused(saved, r"place is float32\[8\] where its earlier rows are float32\[\]", error=BadInput, record=wider)


def test_rows_behind_the_checkpoint_are_overwritten(saved):
    """As a process leaves them that was killed after recording, before the next checkpoint."""
    for name in PLACES.names:
        path = saved / "record" / f"{name}.npy"
        data = path.read_bytes()
        width = (len(data) - 256) // 3
        path.write_bytes(data.replace(b"(3,)", b"(5,)") + b"\x7f" * 2 * width)
        assert len(np.load(path)) == 5
    whole = run(ONE, 12, record=PLACES)
    went_on = resume(ONE, saved, rounds=12, record=PLACES)
    for name, rows in whole.record.items():
        np.testing.assert_array_equal(rows, went_on.record[name])


def test_a_record_with_a_folder_of_its_own(tmp_path):
    record = Record(every=2, folder=tmp_path / "rows", place=PLACES.values["place"])
    run(ONE, 6, record=record, checkpoint=tmp_path / "saved")
    assert not (tmp_path / "saved" / "record").exists()
    outcome = resume(ONE, tmp_path / "saved", rounds=10, record=record)
    np.testing.assert_array_equal(outcome.record["round"], np.arange(0, 11, 2))
    elsewhere = Record(every=2, place=PLACES.values["place"])
    refused(tmp_path / "saved", "is missing", record=elsewhere)


# --- what a checkpoint is of ---


def test_about(tmp_path):
    about = {"system": "exchange", "file": "märkte.csv", "leak": 0.5}
    annotate(tmp_path / "saved", about)
    run(ONE, 4, seed=2**64 - 1, tolerance=0.0, checkpoint=tmp_path / "saved")
    told = describe_run(tmp_path / "saved")
    assert told["about"] == about
    assert (told["seed"], told["rounds"], told["round"], told["finished"]) == (2**64 - 1, 4, 4, True)
    assert told["tolerance"] == 0 and told["record"] is None and json.loads(json.dumps(told)) == told
    annotate(tmp_path / "saved", about)
    with pytest.raises(BadInput, match="a run of something else"):
        annotate(tmp_path / "saved", {"system": "colony"})
    assert describe_run(tmp_path / "saved")["about"] == about
    with pytest.raises(BadInput, match="as JSON"):
        annotate(tmp_path / "other", {"system": object()})
    assert not (tmp_path / "other").exists()
    (tmp_path / "saved" / "about.json").write_text('{"system"')
    with pytest.raises(Damaged, match=r"about\.json cannot be read"):
        describe_run(tmp_path / "saved")


def test_about_of_nothing(tmp_path):
    run(ONE, 1, checkpoint=tmp_path)
    assert describe_run(tmp_path)["about"] == {}
    with pytest.raises(Damaged, match="holds no checkpoint"):
        describe_run(tmp_path / "nowhere")


# --- kill -9 ---

LONG = """
import os, sys
import jax, jax.numpy as jnp
from catallax.core import checkpoint, run as runner
from catallax.core.agent import Agent
from catallax.core.channel import Channel, Span
from catallax.core.record import Record
from catallax.core.signal import Signal
from catallax.core.society import Society


class Follower(Agent):
    place: object

    def respond(self, view, key):
        place = 0.9 * self.place + 0.1 * view.public + 0.1 * jax.random.normal(key)
        return Follower(place), place


class Mean(Signal):
    standing = True
    place: object

    def public(self):
        return self.place

    def propagate(self, summary):
        return Mean(summary / 16)

    def span(self):
        return Span(-4.0, 4.0)


def whole(folder):
    channel = Channel(noise=0.01, delay=2)
    return runner.run(SOCIETY, 4000, 3, record=RECORD, channel=channel, activation=0.5, checkpoint=folder)


RECORD = Record(every=7, place=lambda s: s.signal.place, places=lambda s: s.agents.place)
SOCIETY = Society(Follower(jnp.linspace(-1, 1, 16)), Mean(jnp.float32(0)))
if __name__ == "__main__":
    folder, pace = sys.argv[1:]
    if pace == "often":
        checkpoint.SECONDS = checkpoint.PAUSE = 0.0
        runner.Watch.chunk = property(lambda self: 100, lambda self, rounds: None)  # a checkpoint every 100 rounds
    begun = os.path.exists(folder + "/state.npz")
    outcome = checkpoint.resume(SOCIETY, folder, record=RECORD) if begun else whole(folder)
    print(outcome.status, outcome.rounds, outcome.digest())
"""


def start(folder: Path, compiled: Path, pace: str) -> subprocess.Popen:
    source = str(Path(checkpoint.__file__).parents[2])
    settings = {"JAX_COMPILATION_CACHE_DIR": str(compiled), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    environment = os.environ | settings | {"PYTHONPATH": source}
    return subprocess.Popen(
        [sys.executable, "-c", LONG, str(folder), pace], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def finished(process: subprocess.Popen) -> str:
    out, error = process.communicate(timeout=120)
    assert process.returncode == 0, error.decode()[-2000:]
    return out.decode()


def kill_after(process: subprocess.Popen, path: Path, checkpoints: int, delay: float) -> None:
    """`kill -9` some milliseconds after so many checkpoints were seen."""
    seen = set()
    while len(seen) <= checkpoints and process.poll() is None:
        if path.exists():
            seen.add(path.stat().st_mtime_ns)
        time.sleep(0.0005)
    time.sleep(delay)
    process.kill()
    process.communicate()


def test_killed_at_any_moment(tmp_path):
    chance = random.Random(0)
    namespace: dict = {"__name__": "long"}
    exec(LONG, namespace)
    reference = namespace["whole"](tmp_path / "whole")
    reached = []
    for _ in range(KILLS):
        process = start(tmp_path / "cut", tmp_path / "compiled", "often")
        kill_after(process, tmp_path / "cut" / "state.npz", chance.randint(1, 5), chance.uniform(0, 0.02))
        assert process.returncode == -signal.SIGKILL
        reached.append(load(tmp_path / "cut").round)
        for path in (tmp_path / "cut" / "record").glob("*.npy"):
            assert len(np.load(path, mmap_mode="r")) >= reached[-1] // 7  # whole rows, readable
    assert 0 < reached[-1] < 4_000 and reached == sorted(reached)
    last = finished(start(tmp_path / "cut", tmp_path / "compiled", "seldom"))
    assert last.split() == ["done", "4000", reference.digest()]
    assert hashes(tmp_path / "cut") == hashes(tmp_path / "whole")
    assert not list(tmp_path.rglob("*.part"))


def hashes(folder: Path) -> dict:
    """Of the state and of each recorded file (bytes behind the last row, if any, are nobody's)."""
    rows = {p.name: hashlib.sha256(np.load(p).tobytes()).hexdigest() for p in (folder / "record").glob("*.npy")}
    return rows | {"state": (folder / "state.npz").read_bytes()[-64:]}
