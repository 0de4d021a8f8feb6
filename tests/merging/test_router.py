"""A router pays for being right: money is conserved, prices are nobody's own, liars lose, the dead and the late are left behind."""

import contextlib
import json
import os
import signal
import sys
import threading
import time
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment, minimize
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from catallax.core.errors import BadInput
from catallax.merging.comparison import thresholds
from catallax.merging.confidence import Confidence
from catallax.merging.exchange import Exchange
from catallax.merging.members.endpoint import Endpoint
from catallax.merging.members.member import Gone
from catallax.merging.members.process import Process
from catallax.merging.router import Router
from catallax.signals.ledger import ACCOUNTS

CLASSES = np.arange(5)


def answer(X: np.ndarray) -> np.ndarray:
    """In which fifth of its range the second number lies."""
    return np.floor(2.5 * (X[:, 1] + 1)).astype(int)


def world(rows: int = 480, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(seed).uniform(-1, 1, (rows, 2))
    return X, answer(X)


def noise(X: np.ndarray) -> np.ndarray:
    """Dice that an input always shows alike."""
    return np.floor(5 * ((1e4 * X[:, 0] + 7e3 * X[:, 1]) % 1)).astype(int)


def left(X: np.ndarray) -> np.ndarray:
    """Knows the answer left of zero, and guesses right of it."""
    return np.where(X[:, 0] < 0, answer(X), noise(X))


def right(X: np.ndarray) -> np.ndarray:
    return np.where(X[:, 0] > 0, answer(X), noise(X))


class Liar:
    """Guesses, and says that it is sure."""

    def __call__(self, X: np.ndarray) -> np.ndarray:
        return noise(X)

    def bid(self, X: np.ndarray) -> np.ndarray:
        return np.ones(len(X))


def three(**changes: Any) -> Router:
    models = {"left": left, "right": right, "liar": Liar()}
    return Router(models, 0.05, **{"random_state": 0, **changes})


@pytest.fixture(scope="module")
def routed() -> Router:
    return three().fit(*world())


# --- what members come to know, and who answers ---


def test_members_find_what_they_are_good_at(routed: Router) -> None:
    X, y = world(400, seed=1)
    who = routed.route(X)
    clear = np.abs(X[:, 0]) > 0.2
    assert (who == np.where(X[:, 0] < 0, 0, 1))[clear].mean() > 0.95
    assert routed.score(X, y) > 0.93 > 0.85 > np.mean(left(X) == y)
    assert np.mean(routed.accuracy_[-5:]) > np.mean(routed.accuracy_[:5])


def test_a_liar_loses_its_stake_and_no_more(routed: Router) -> None:
    liar, stake = 2, 2.0 * 32 * 1.05
    assert not routed.alive_[liar] and routed.wealth_[liar] == 0
    assert -stake <= routed.earned_[liar] < -stake + 1.05 + 1e-9  # what is left would not bond one input
    assert routed.ledger_.events[-1][1:] == ("liar", "bankrupt")
    assert (routed.earned_[:2] > 0).all() and (routed.wealth_[:2] > 0.9 * stake).all()
    assert not (routed.route(world(50, 2)[0]) == liar).any()


def test_payments_for_anothers_answers_do_harm() -> None:
    """The control, paired over seeds: who is right must be who is paid."""
    X, y = world(400, seed=1)
    gain = [
        three(random_state=seed).fit(*world(320, seed + 5)).score(X, y)
        - three(random_state=seed, shuffle_payments=True).fit(*world(320, seed + 5)).score(X, y)
        for seed in range(3)
    ]
    assert min(gain) > 0.1


def test_chances_are_those_of_the_winners(routed: Router) -> None:
    X = world(60, seed=3)[0]
    chance = routed.predict_proba(X)
    np.testing.assert_allclose(chance.sum(1), 1)
    np.testing.assert_array_equal(chance.argmax(1), routed.predict(X))
    bids, who = routed.bids(X), routed.route(X)
    np.testing.assert_allclose(chance.max(1), np.maximum(bids[np.arange(60), who], 0.202))


def test_fitting_again_gives_the_same_and_parts_go_on(routed: Router) -> None:
    X, y = world()
    again = three().fit(X, y)
    np.testing.assert_array_equal(again.ledger_.table()["closing"], routed.ledger_.table()["closing"])
    parts = three().partial_fit(X[:100], y[:100], classes=CLASSES).partial_fit(X[100:], y[100:])
    assert parts.score(*world(400, seed=1)) > 0.9


@pytest.mark.parametrize("seed", [0, 1])
def test_a_belief_is_at_the_mode_and_its_precision_the_curvature(seed: int) -> None:
    rng = np.random.default_rng(seed)
    book = Confidence(3, 0, memory=1.0, boldness=1.0)
    phi = np.hstack([rng.normal(size=(30, 3)), np.ones((30, 1))])
    got = (rng.random(30) < expit(2 * phi[:, 0])).astype(float)

    def loss(b: np.ndarray) -> float:
        return float(np.logaddexp(0, phi @ b).sum() - got @ phi @ b + b @ book.first @ b / 2)

    book.hear(phi, got)
    found = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-8})
    np.testing.assert_allclose(book.mean, found.x, atol=1e-4)
    step = 1e-3 * np.eye(4)
    curve = [[(loss(book.mean + a + b) - loss(book.mean + a - b) - loss(book.mean - a + b) + loss(book.mean - a - b)) / 4e-6
              for a in step] for b in step]  # fmt: skip
    np.testing.assert_allclose(book.precision, curve, atol=1e-4)
    beliefs = rng.multivariate_normal(book.mean, np.linalg.inv(book.precision), 40_000)
    np.testing.assert_allclose(book.chance(phi), expit(phi @ beliefs.T).mean(1), atol=0.02)
    drawn = np.array([logit(book.drawn(np.eye(4), rng)) for _ in range(800)])  # the belief itself, one number at a time
    np.testing.assert_allclose(np.cov(drawn.T), np.linalg.inv(book.precision), atol=0.5)
    np.testing.assert_allclose(drawn.mean(0), book.mean, atol=0.2)


# --- money ---


def test_money_is_conserved_every_batch(routed: Router) -> None:
    book = routed.ledger_.table()
    np.testing.assert_allclose(book["closing"].sum(1) + book["treasury"], 0, atol=1e-9)
    np.testing.assert_allclose(book["opening"] + sum(book[name] for name in ACCOUNTS), book["closing"], atol=1e-9)
    assert abs(routed.ledger_.imbalance) < 1e-9 and (book["closing"] >= -1e-9).all()


class Says:
    """Answers 1, and bids what it is told to."""

    def __init__(self, *bids: float) -> None:
        self.bids = np.array(bids)

    def __call__(self, X: np.ndarray) -> np.ndarray:
        return np.ones(len(X), int)

    def bid(self, X: np.ndarray) -> np.ndarray:
        return self.bids[: len(X)]


def test_a_winner_pays_what_the_next_best_would_have_brought() -> None:
    router = Router({"a": Says(0.9, 0.5), "b": Says(0.6, 0.8)}, {"a": 0.1, "b": 0.0}, looks=False, batch=2, worth=2.0)
    router.partial_fit(np.zeros((2, 1)), np.array([1, 0]), classes=CLASSES)
    book = router.ledger_.table()
    np.testing.assert_allclose(book["revenue"][0], [2.0, 0.0])  # a is right, b is not
    np.testing.assert_allclose(book["price"][0], [-1.2, -0.9])  # 2 x .6, and 2 x .5 less the cost of .1
    np.testing.assert_allclose(book["cost"][0], [-0.1, 0.0])
    np.testing.assert_array_equal(router.shares_, [0.5, 0.5])


@settings(max_examples=20)
@given(st.lists(st.floats(-1, 2), min_size=2, max_size=5), st.floats(-1, 2), st.data())
def test_no_bid_of_its_own_moves_a_members_price(worths: list[float], other: float, data: st.DataObject) -> None:
    """Second price where nothing is scarce: the truth is worth at least as much as any other bid."""
    exchange, count = Exchange.__new__(Exchange), len(worths)
    j = data.draw(st.integers(0, count - 1))
    truth, lie = np.array([worths]), np.array([worths])
    lie[0, j] = other
    none, gains = np.zeros(count), []
    for net in (truth, lie):
        won = net.argmax(1)
        price = exchange.next_best(net, none, won)
        gains.append(truth[0, j] - price[0] if won[0] == j else 0.0)
    if max(worths) >= 0 and other >= 0:
        assert gains[0] >= gains[1] - 1e-12


def test_looking_is_paid_for_by_who_looks() -> None:
    router = three(looks=["left"]).fit(*world())
    page = router.ledger_.table()["cost"]
    np.testing.assert_allclose(page[:, 0], -0.05 * 32)
    assert (page[:, 1] > -0.05 * 32).any()
    assert router.spent_[0] == pytest.approx(0.05 * 480)


def test_full_information_is_nobodys_expense() -> None:
    router = three(told="all").fit(*world(160))
    assert router.spent_.sum() > 0.05 * 160 * 2 > -router.ledger_.table()["cost"].sum()


# --- caps, vetoes, leaving ---


def test_influence_is_capped_and_the_cost_is_said() -> None:
    X, y = world(201, seed=1)
    router = Router({"dice": noise, "all": answer}, max_influence=0.5, random_state=0).fit(*world())
    report = str(router.report(X, y))
    assert np.bincount(router.route(X)).tolist() == [100, 101] and router.influence()["largest"] == 0.5  # batches of 32
    assert router.influence()["effective_number"] == 2 and router.score(X, y) == pytest.approx(0.6, abs=0.05)
    assert router.cap_cost_[0] == pytest.approx(0.4, abs=0.1)
    assert f"costs {100 * router.cap_cost_[0]:.2f} points of accuracy" in report


def test_capacities_hold_with_prices() -> None:
    X, y = world()
    router = Router({"all": answer, "left": left}, capacity=[0.25, 1.0], random_state=0).fit(X, y)
    assert np.bincount(router.route(X[:100])).tolist() == [25, 75]
    assert router.prices_[0] > 0 and router.prices_[1] == 0


def never(X: np.ndarray) -> np.ndarray:
    raise AssertionError("who has a veto was asked")


def test_a_veto_is_kept_and_leaving_is_at_once() -> None:
    router = Router({"left": left, "no": never, "right": right}, veto="no", random_state=0).fit(*world(160))
    assert router.wealth_[1] == 0 and router.shares_[1] == 0
    wealth = router.wealth_[0]
    assert router.leave("left") == wealth > 0 and not router.alive_[0] and router.wealth_[0] == 0
    assert set(router.route(world(30)[0]).tolist()) == {2} and router.ledger_.imbalance == pytest.approx(0)
    router.leave("right")
    X, y = world(30)
    np.testing.assert_array_equal(router.predict(X), np.full(30, router.prior_.argmax()))  # nobody is left
    np.testing.assert_allclose(router.predict_proba(X).sum(1), 1)
    with pytest.raises(BadInput, match="no member is left"):
        router.report(X, y)


# --- the dead, the late, the bad ---


class Dies:
    """Right about everything, so many times."""

    def __init__(self, times: int) -> None:
        self.times = times

    def __call__(self, X: np.ndarray) -> np.ndarray:
        self.times -= 1
        if self.times < 0:
            raise RuntimeError("out of memory")
        return answer(X)


@pytest.mark.parametrize("costs", [0.0, 0.05])
def test_who_dies_in_the_middle_loses_all_and_the_rest_go_on(costs: float) -> None:
    router = Router({"best": Dies(6), "left": left, "right": right}, costs, random_state=0).fit(*world())
    why = [event for _, name, event in router.ledger_.events if name == "best"]
    assert why == ["gone: it failed: RuntimeError: out of memory", "leaves"]
    assert router.wealth_[0] == 0 and router.ledger_.imbalance == pytest.approx(0)
    assert router.shares_.sum() == pytest.approx(1) and router.score(*world(200, 1)) > 0.85


def test_who_is_late_is_out(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]  # of the test's own: the machine may be busy
    monkeypatch.setattr("catallax.merging.exchange.time", types.SimpleNamespace(monotonic=lambda: clock[0]))

    def slow(X: np.ndarray) -> np.ndarray:
        clock[0] += 0.06
        return answer(X)

    router = Router({"slow": slow, "left": left}, 0.05, deadline=0.05, random_state=0)
    router.fit(*world(320))
    assert not router.alive_[0]
    events = [event for _, name, event in router.ledger_.events if name == "slow"]
    assert events[-1] == "is out: 3 times without an answer" and events[0] == "late: 0.06 s of 0.05"
    assert router.shares_.tolist() == [0.0, 1.0] and router.ledger_.table()["revenue"][:, 0].sum() == 0


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (lambda X: np.zeros(3), "its answers have shape"),
        (lambda X: np.full((len(X), 5), np.nan), "its chances are not all finite"),
        (lambda X: np.zeros((len(X), 9)), "its chances have shape"),
        (lambda X: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_nonsense_is_not_an_answer(says: Any, why: str) -> None:
    router = Router({"odd": says, "left": left}, random_state=0).fit(*world(64))
    assert why in router.ledger_.events[0][2] and router.shares_.tolist() == [0, 1]


# --- members ---


def binary(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    X, y = world(rows, seed)
    return X, (y > 1).astype(int)


def test_estimators_and_modules_answer_as_they_are() -> None:
    import equinox as eqx
    import jax

    X, y = binary(200, 0)
    estimators = [("bayes", GaussianNB()), ("lines", LogisticRegression())]
    fitted = [(name, one.fit(X, y)) for name, one in estimators]
    network = eqx.nn.Linear(2, 2, key=jax.random.key(0))
    router = Router([*fitted, ("network", network)], random_state=0).fit(*binary(64, 1))
    members = router.exchange_.members
    np.testing.assert_allclose(members[0].ask(X[:9], CLASSES[:2]).chance, fitted[0][1].predict_proba(X[:9]))
    scores = X[:9] @ np.asarray(network.weight).T + np.asarray(network.bias)
    np.testing.assert_allclose(
        members[2].ask(X[:9], CLASSES[:2]).chance[:, 1], expit(scores[:, 1] - scores[:, 0]), rtol=1e-5
    )
    soft = VotingClassifier(estimators, voting="soft").fit(X, y)
    vote = Router(fitted, random_state=0).fit(*binary(64, 1)).report(*binary(300, 2)).rows["average"]
    assert vote.accuracy == pytest.approx(soft.score(*binary(300, 2)))


def test_a_specialist_of_some_classes_is_placed_among_all() -> None:
    """It has never met class 2, and class 7 is no answer to anything here."""
    X, y = binary(100, 0)
    tree = DecisionTreeClassifier().fit(X, np.where(y == 0, 7, 1))
    router = Router({"tree": tree, "two": lambda X: np.full(len(X), 2)}, random_state=0)
    router.fit(X, np.where(y == 0, 2, 1))
    said = router.exchange_.members[0].ask(X[:4], router.classes_)
    np.testing.assert_array_equal(router.classes_, [1, 2])
    assert set(said.answer.tolist()) <= {7, 1} and said.chance.shape == (4, 2)
    assert router.score(X, np.where(y == 0, 2, 1)) > 0.9


def test_clones_keep_frozen_fits() -> None:
    X, y = binary(100, 0)
    router = Router([("bayes", FrozenEstimator(GaussianNB().fit(X, y)))], batch=50, random_state=0)
    copy = clone(router)
    assert copy.get_params()["batch"] == 50 and copy.fit(X, y).score(X, y) > 0.8


PROGRAMME = """
import json, sys
for number, line in enumerate(sys.stdin):
    asked = json.loads(line)
    rows, how = asked["x"], sys.argv[1]
    if how == "nonsense" and number == 2: print("no JSON", flush=True); continue
    if how == "sleeps" and number == 2: import time; time.sleep(9)
    if how == "error" and number == 2: print(json.dumps({"id": asked["id"], "error": "no memory"}), flush=True); continue
    p = [[0.8 if k == int(2.5 * (b + 1)) else 0.05 for k in range(5)] for a, b in rows]
    print(json.dumps({"id": asked["id"], "chance": p, "classes": list(range(5)), "bid": [0.8] * len(p)}), flush=True)
"""


def programme(how: str, timeout: float = 20.0) -> Process:
    return Process([sys.executable, "-S", "-E", "-c", PROGRAMME, how], timeout)


def test_a_process_answers_and_is_killed() -> None:
    X, y = world(320)
    member = programme("works")
    router = Router({"far": member, "left": left}, random_state=0)
    router.partial_fit(X[:160], y[:160])
    assert router.shares_[0] > 0.2 and router.score(X[:40], y[:40]) > 0.8
    os.kill(member.pid or 0, signal.SIGKILL)
    router.partial_fit(X[160:], y[160:])
    events = [event for _, name, event in router.ledger_.events if name == "far"]
    assert events[0].startswith("gone: its process ended") and events[1] == "leaves" and member.pid is None
    assert router.wealth_[0] == 0 and (router.route(X) == 1).all()
    router.close()


@pytest.mark.parametrize(
    ("how", "timeout", "why"),
    [("nonsense", 20.0, "no JSON"), ("sleeps", 0.4, "within 0.4 s"), ("error", 20.0, "no memory")],
)
def test_a_process_that_fails_is_left_behind(how: str, timeout: float, why: str) -> None:
    router = Router({"far": programme(how, timeout), "left": left}, batch=16, random_state=0).fit(*world(80))
    assert not router.alive_[0] and any(why in event for _, _, event in router.ledger_.events)
    assert len(router.accuracy_) == 5


class Server(BaseHTTPRequestHandler):
    """Chat completions: "yes" for inputs above zero; `how` it fails is in the model's name."""

    asked: ClassVar[list[Any]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Server.asked.append((self.path, self.headers.get("Authorization"), body))
        how, text = body["model"], body["messages"][-1]["content"]
        if how == "slow":
            time.sleep(0.3)
        if how == "down" or (how == "flaky" and len(Server.asked) % 2):
            self.send_error(500)
            return
        content = "The answer is: **Yes**." if "above" in text else "no"
        token = {"token": "x", "logprob": float(np.log(0.8))}
        choice = {"message": {"role": "assistant", "content": content}, "logprobs": {"content": [token]}}
        said = {"choices": [choice], "usage": {"total_tokens": 7}}
        data = {"garbled": b"<html>", "empty": b'{"choices": []}'}.get(how, json.dumps(said).encode())
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with contextlib.suppress(OSError):  # who asked has not waited
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Any:
    there = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=there.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{there.server_port}/v1"
    there.shutdown()
    there.server_close()


TEXTS = np.array(["it is above", "it is below"] * 8, object)
TRUTH = np.array(["yes", "no"] * 8)


def test_an_endpoint_is_asked_by_the_schema(server: str) -> None:
    Server.asked.clear()
    member = Endpoint(
        server, "good", labels=["yes", "no"], system="Be brief.", prompt="Is it? {x}", key="k", more={"n": 1}
    )
    said = member.ask(TEXTS[:2], TRUTH[:2])
    assert said.answer.tolist() == ["yes", "no"] and member.tokens == 14 and member.fault == ""
    np.testing.assert_allclose(said.sure, 0.8)
    path, key, body = next(one for one in Server.asked if "above" in one[2]["messages"][1]["content"])
    assert (path, key) == ("/v1/chat/completions", "Bearer k")
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Is it? it is above"},
    ]
    assert (body["temperature"], body["n"]) == (0, 1)
    assert (
        member.label("yes or no") is None and member.label("Yes!") == "yes" and member.label("I know nothing") is None
    )


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("down", "500"),
        ("garbled", "does not keep the schema"),
        ("empty", "IndexError"),
        ("slow", "no answer within 0.05 s"),
    ],
)
def test_an_endpoint_that_fails_says_nothing_and_why(server: str, how: str, why: str) -> None:
    member = Endpoint(server, how, timeout=0.05 if how == "slow" else 5.0, retries=0)
    assert member.ask(TEXTS[:2], TRUTH[:2]).answer.tolist() == [None, None] and why in member.fault


def test_a_router_of_endpoints_goes_on_without_the_one_that_is_down(server: str) -> None:
    labels = ["yes", "no"]
    members = {"good": Endpoint(server, "good", labels=labels), "down": Endpoint(server, "down", retries=0)}
    router = Router(members, {"good": 0.1, "down": 0.01}, looks=["down"], batch=4, random_state=0).fit(TEXTS, TRUTH)
    assert router.alive_.tolist() == [True, False] and router.shares_.tolist() == [1.0, 0.0]
    np.testing.assert_array_equal(router.predict(TEXTS), TRUTH)
    assert Endpoint("http://127.0.0.1:9/v1", "x", retries=0).ask(TEXTS[:1], TRUTH).answer[0] is None  # nobody listens


def test_a_passing_fault_is_tried_again(server: str) -> None:
    Server.asked.clear()
    member = Endpoint(server, "flaky", labels=["yes", "no"], parallel=1)
    assert member.ask(TEXTS[:3], TRUTH).answer.tolist() == ["yes", "no", "yes"] and len(Server.asked) == 6


def test_a_judge_of_texts() -> None:
    """Half right is paid half."""
    texts, y = np.array(["abcd", "efgh"] * 20, object), np.array(["ab", "gh"] * 20)

    def shares(answer: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.array([len(set(a) & set(b)) / len(b) for a, b in zip(answer, y)])

    halves = {"head": lambda X: np.array([x[:2] for x in X]), "end": lambda X: np.array([x[1:3] for x in X])}
    router = Router(halves, judge=shares, random_state=0, batch=4).fit(texts, y)
    assert router.shares_[0] > 0 and router.earned_.sum() >= 0


# --- beside the others ---


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_the_cascade_has_the_best_threshold_there_is(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sure, got = rng.integers(0, 6, (12, 2)) / 5, rng.integers(0, 2, (12, 2)).astype(float)
    costs = np.array([0.02, 0.3])
    first, last = thresholds(sure, got, costs, 1.0)

    def value(least: float) -> float:
        return float(np.where(sure[:, 0] >= least, got[:, 0], got[:, 1] - costs[1]).mean() - costs[0])

    best = max([got[:, 1].mean() - costs[1], *(value(t) for t in (-1, *sure[:, 0]))])
    assert last == -np.inf
    assert (got[:, 1].mean() - costs[1] if first is None else value(first)) == pytest.approx(best)


def test_the_table_holds_what_it_says(routed: Router) -> None:
    X, y = world(60, seed=4)
    router = three(capacity=0.5, veto="liar").fit(*world(160))
    rows = router.report(X, y, world(160)).rows
    got = np.array([left(X) == y, right(X) == y]).T - 0.05
    seats = np.repeat(got, 30, axis=1)
    i, j = linear_sum_assignment(seats, maximize=True)
    assert rows["planner"].value == pytest.approx(seats[i, j].mean())
    assert rows["left"].accuracy == pytest.approx(np.mean(left(X) == y)) and rows["left"].herfindahl == 1
    assert rows["planner"].value >= rows["signal"].value > rows["silence"].value
    assert rows["signal"].accuracy == pytest.approx(router.score(X, y)) and rows["signal"].cost == pytest.approx(0.05)
    assert rows["best member"].accuracy in (rows["left"].accuracy, rows["right"].accuracy)
    assert rows["average"].cost == pytest.approx(0.1)


def test_shapley_values_share_the_accuracy(routed: Router) -> None:
    X, y = world(200, seed=5)
    found = routed.shapley(X, y)
    assert found.values.sum() == pytest.approx(routed.score(X, y)) and found.values[2] == 0
    assert found.tried == 8 and found.values[0] == pytest.approx(found.values[1], abs=0.1)


# --- what is refused ---


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"models": []}, "models must be a list"),
        ({"models": [left]}, "models must be a list"),
        ({"models": [("a", left), ("a", right)]}, "names of models must differ"),
        ({"models": {"a": 3}}, "model 'a' is a int"),
        ({"costs": [0.1]}, "costs must be in"),
        ({"costs": -1.0}, "costs must be in"),
        ({"costs": {"left": 1.0}}, "costs must name every member"),
        ({"capacity": 2.0}, "capacity must be in"),
        ({"max_influence": 0.3}, r"max_influence is 0.3 and 3 members take part.*\[0.3333, 1\]"),
        ({"max_influence": 0.4, "veto": "liar"}, "2 members take part"),
        ({"veto": "nobody"}, "veto names 'nobody'"),
        ({"veto": True}, "at least one must take part"),
        ({"looks": ["x"]}, "looks names 'x'"),
        ({"told": "some"}, "told must be"),
        ({"batch": 0}, "batch must lie in"),
        ({"allowance": 0.5}, "allowance must lie in"),
        ({"worth": "much"}, "worth must lie in"),
        ({"deadline": 0.0}, "deadline is 0.0"),
        ({"judge": lambda a, y: np.full(len(y), 2.0)}, "judge must give"),
        ({"features": lambda X: np.full((len(X), 1), np.nan)}, "features give shape"),
    ],
)
def test_settings_are_refused_in_a_sentence(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        three().set_params(**changes).fit(*world(40))


@pytest.mark.parametrize(
    ("X", "y", "why"),
    [
        (np.zeros((0, 2)), np.zeros(0), "no rows"),
        (np.zeros(3), np.zeros(3), "X has shape"),
        (np.full((3, 2), np.nan), np.zeros(3), r"X\[0\]"),
        (np.zeros((3, 2)), np.zeros(2), "y has shape"),
    ],
)
def test_rows_are_refused_in_a_sentence(X: Any, y: Any, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        three().fit(X, y)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: Endpoint("file:///etc/passwd", "m"), "url is"),
        (lambda: Endpoint("http://a/v1", "m", prompt="?"), "prompt is"),
        (lambda: Endpoint("http://a/v1", "m", timeout=0.0), "timeout"),
        (lambda: Process([]), "command is"),
        (lambda: Process(["x"], 0.0), "timeout is"),
    ],
)
def test_members_are_refused_in_a_sentence(make: Any, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        make()


def test_a_programme_that_is_not_there_is_gone() -> None:
    with pytest.raises(Gone, match="its process ended"):
        Process(["/no/such/programme"]).ask(np.zeros((1, 2)), CLASSES)
