"""Peers run in environments of their own, and what goes wrong with one is a sentence, never a crash."""

import ast
import json
import sys

import pytest

from benchmarks import peers
from benchmarks.engine import PEERS


@pytest.fixture
def ready(tmp_path, monkeypatch):
    """A peer whose environment is this interpreter, and whose script is written by the test."""
    monkeypatch.setattr(peers, "ROOT", tmp_path / "environments")
    monkeypatch.setattr(peers, "HERE", tmp_path)
    python = tmp_path / "environments" / "fake" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (python.parent.parent / "pins.json").write_text(json.dumps(["fake==1"]))
    return tmp_path / "fake.py", peers.Peer("fake", ("fake==1",), "fake.py")


def test_answer_is_the_last_line(ready):
    script, peer = ready
    script.write_text("import sys, json\nprint('noise')\nprint(json.dumps({'got': json.loads(sys.argv[1])}))")
    assert peers.ask(peer, {"agents": 3}) == {"got": {"agents": 3}}


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("raise ValueError('no such agents')", "fake failed: ValueError: no such agents"),
        ("print('hello')", "fake answered with no JSON: hello"),
        ("pass", "fake answered with no JSON: it said nothing"),
        ("import time; time.sleep(60)", "fake was stopped after 1 s"),
    ],
)
def test_failures_are_sentences(ready, code, sentence):
    script, peer = ready
    script.write_text(code)
    with pytest.raises(peers.Missing, match=sentence):
        peers.ask(peer, {}, timeout=1.0 if "sleep" in code else 60.0)


@pytest.mark.usefixtures("ready")
def test_other_pins_make_the_environment_again(monkeypatch):
    commands = []

    def install(command, peer):
        commands.append(command)
        if "pip" in command:
            raise peers.Missing(f"{peer.name} could not be installed: no network")

    monkeypatch.setattr(peers, "_install", install)
    with pytest.raises(peers.Missing, match="no network"):
        peers.environment(peers.Peer("fake", ("fake==2",), "fake.py"))
    assert [command[2] for command in commands] == ["venv", "pip"]
    assert not (peers.ROOT / "fake" / "pins.json").exists()  # a broken environment is not taken for a good one


def test_peers_are_pinned_and_their_scripts_import_no_one_else():
    for peer in {entry.peer for entry in PEERS}:
        assert all("==" in package for package in peer.packages)
        tree = ast.parse((peers.HERE / peer.script).read_text())
        names = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
        names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        own = {name.replace("-", "_") for name in (package.partition("==")[0] for package in peer.packages)}
        assert names <= own | {"timing", "mesa_frames_wealth"}
