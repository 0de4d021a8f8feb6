"""Modules that bid for inputs, beside one module, mixtures, a market on forecasts, random and hash routing.

    python -m benchmarks.market_net [--quick] [--json]

Kinds: scikit-learn's 1,797 digits, each turned, inverted, shifted or under noise, at random and unknown to all; 70 % learnt
from. Modules are networks of 16 hidden units, shown each row in 15 epochs; what is routed answers by one, mixtures by four.
Alignment and mutual information: of who answers with the kind, on held-out rows. Probabilities clipped at .001.

Tables: a network, a tree and neighbours on tables of one kind. A process is killed by signal 9 in the middle of a run.
`ProductionNetwork`: two rivals a good, one of which may be a saboteur that cannot learn. Criteria: competition/CRITERIA.md, (g).
Settings were chosen on seed 0, which is not among those here. Runs are kept under benchmarks/.runs/competition and go on where
they were cut off.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from benchmarks import harness
from benchmarks.competition.trials import Claim, kept, said, values

SEEDS, EPOCHS, HIDDEN = tuple(range(10, 15)), 15, 16
GOODS_SEEDS, GOODS_STEPS = tuple(range(10, 20)), 300
Array = np.ndarray


def kinds(seed: int) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """(X, y, kind) to learn from, and held out."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    X, y = load_digits(return_X_y=True)
    rng, image = np.random.default_rng(seed), X.reshape(-1, 8, 8) / 16
    noise = image + rng.normal(0, 0.5, image.shape)
    seen = np.stack([np.rot90(image, axes=(1, 2)), 1 - image, np.roll(image, 4, 2), noise])
    kind = rng.integers(4, size=len(y))
    X = seen[kind, np.arange(len(y))].reshape(len(y), -1)
    learnt, kept = train_test_split(np.arange(len(y)), test_size=0.3, stratify=y, random_state=seed)
    return (X[learnt], y[learnt], kind[learnt]), (X[kept], y[kept], kind[kept])


def network(hidden: int = HIDDEN, seed: int | None = None) -> Any:
    """One module."""
    from sklearn.neural_network import MLPClassifier

    small: Any = 32  # scikit-learn's annotations know a text alone
    return MLPClassifier(hidden, learning_rate_init=0.01, batch_size=small, random_state=seed)


def taught(module: Any, X: Array, y: Array, rounds: int) -> Any:
    """As a market teaches a module: five passes over a third of the rows, so many times."""
    rng = np.random.default_rng(module.random_state)
    for _ in range(rounds):
        for part in np.array_split(rng.permutation(len(X)), max(1, round(len(X) / 400))):
            again = np.tile(part, 5)
            module.partial_fit(X[again], y[again], classes=np.arange(10))
    return module


def market(seed: int, epochs: int, **settings: Any) -> Any:
    """Four networks at a capacity of .3 each."""
    from catallax.experts.market_net import MarketNet

    modules = [(name, network()) for name in "abcd"]
    return MarketNet(modules, **{"capacity": 0.3, "epochs": epochs, "random_state": seed, **settings})


def routed(X: Array, y: Array, Z: Array, who: Array, there: Array, epochs: int, seed: int) -> Array:
    """Chances on Z of modules that learn the rows `who` sends them, and answer for those that `there` does."""
    chance = np.full((len(Z), 10), 0.1)
    for j in range(4):
        if (who == j).any() and (there == j).any():
            chance[there == j] = taught(network(seed=10 * seed + j), X[who == j], y[who == j], epochs).predict_proba(
                Z[there == j]
            )
    return chance


def hashed(X: Array, seed: int) -> Array:
    """Four buckets by the signs of two random projections of the centred input."""
    rng = np.random.default_rng(seed)
    return ((X - 0.5) @ rng.normal(size=(X.shape[1], 2)) > 0) @ np.array([1, 2])


def scored(y: Array, chance: Array, kind: Array, who: Array | None) -> dict[str, float]:
    """Log-loss, error %, and what the module that answers says of the kind."""
    from catallax.measures import specialisation as said

    chance = np.maximum(chance, 1e-3)
    chance = chance / chance.sum(1, keepdims=True)
    found = {
        "log-loss": float(-np.log(chance[np.arange(len(y)), y]).mean()),
        "error %": float(100 * (chance.argmax(1) != y).mean()),
    }
    if who is not None:
        counts = said.together(kind, who, 4, 4)
        found |= {
            "alignment": said.alignment(counts),
            "MI kind": said.mutual_information(counts),
            "MI class": said.mutual_information(said.together(y, who, 10, 4)),
            "MaxVio": said.max_violation(counts.sum(0)),
        }
    return found


ARMS = {
    "market": {},
    "market, 2 winners": dict(winners=2, capacity=0.6),
    "payments shuffled": dict(shuffle_payments=True),
    "full information": dict(regime="full_information"),
    "planner in training": dict(regime="planner"),
}


def showcase(seed: int, epochs: int) -> dict[str, dict[str, float]]:
    """Scores by arm, of one seed."""
    from catallax.ensembles import MarketClassifier

    (X, y, k), (Z, z, kz) = kinds(seed)
    found, rng = {}, np.random.default_rng(seed)
    for arm, settings in ARMS.items():
        net = market(seed, epochs, **settings).fit(X, y)
        found[arm] = scored(z, net.predict_proba(Z), kz, net.route(Z)[:, 0])
        if arm == "market":
            bound = net.upper_bound(Z, z)
            found["market's modules, labels read (bound)"] = {"log-loss": bound}
    rows = {
        "random routing": (rng.integers(4, size=len(X)), rng.integers(4, size=len(Z))),
        "hash routing": (hashed(X, seed), hashed(Z, seed)),
        "kinds told (oracle)": (k, kz),
    }
    for arm, (who, there) in rows.items():
        found[arm] = scored(z, routed(X, y, Z, who, there, epochs, seed), kz, there)
    single = [taught(network(seed=seed + 100 * j), X, y, epochs).predict_proba(Z) for j in range(4)]
    found["one module"] = scored(z, single[0], kz, None)
    found["uniform mixture of 4, each of all rows"] = scored(z, np.mean(single, 0), kz, None)
    big = taught(network(4 * HIDDEN, seed), X, y, epochs).predict_proba(Z)
    found["one module of all parameters (64)"] = scored(z, big, kz, None)
    members = [(name, Steady(epochs, seed + i)) for i, name in enumerate("abcd")]
    forecast = MarketClassifier(members, cv=3, random_state=seed).fit(X, y).predict_proba(Z)
    found["MarketClassifier of 4, each of all rows"] = scored(z, forecast, kz, None)
    return found


class Steady(ClassifierMixin, BaseEstimator):
    """A network that is fitted as long as the others here."""

    def __init__(self, epochs: Any = EPOCHS, seed: Any = 0) -> None:
        self.epochs, self.seed = epochs, seed

    def fit(self, X: Any, y: Any) -> Steady:
        """`y`: the ten digits."""
        self.net_ = taught(network(seed=self.seed), X, y, self.epochs)
        self.classes_ = self.net_.classes_
        return self

    def predict_proba(self, X: Any) -> Any:
        """[rows, 10]"""
        return self.net_.predict_proba(X)

    def predict(self, X: Any) -> Any:
        """[rows]"""
        return self.classes_[self.predict_proba(X).argmax(1)]


def judged(found: dict[str, list[dict[str, Any]]], question: str, market: str, rivals: list[str]) -> str:
    """The verdict on a market's log-loss."""
    claim = Claim(question, market, rivals, "log-loss")
    return claim.sentence(*claim.at(found))


def table_of_arms(found: dict[str, list[dict[str, float]]], beside: str = "market") -> list[dict[str, Any]]:
    """Means over seeds, and log-loss less that of `beside` on the same seed, with its 95 % interval."""
    rows = []
    for arm, runs in found.items():
        row: dict[str, Any] = {"arm": arm} | {name: float(values(runs, name).mean()) for name in runs[0]}
        apart = values(runs, "log-loss") - values(found[beside], "log-loss")
        row[f"log-loss - {beside}"] = said(apart) if arm != beside else ""
        rows.append(row)
    return rows


def by_arm(found: list[dict[str, dict[str, float]]]) -> dict[str, list[dict[str, float]]]:
    """Runs of each arm, a seed each."""
    return {arm: [one[arm] for one in found] for arm in found[0]}


# --- tables of one kind --------------------------------------------------------------------------------------------------


def mixed(name: str, seed: int, epochs: int) -> dict[str, dict[str, float]]:
    """Unlike modules on a plain table."""
    from sklearn.base import clone
    from sklearn.model_selection import train_test_split

    from benchmarks import tables
    from catallax.ensembles import MarketClassifier
    from catallax.experts.market_net import MarketNet, _defaults

    X, y = tables.read(name, 1000, seed=seed)
    common = np.isin(y, np.flatnonzero(np.bincount(y) >= 10))
    X, y = X[common], np.unique(y[common], return_inverse=True)[1]
    X = (X - X.mean(0)) / np.where(X.std(0) > 0, X.std(0), 1)
    learnt, kept = train_test_split(np.arange(len(y)), test_size=1 / 3, stratify=y, random_state=seed)
    (X, y), (Z, z) = (X[learnt], y[learnt]), (X[kept], y[kept])
    modules: Any = _defaults()
    found = {}
    for arm, more in {
        "market": {},
        "payments shuffled": dict(shuffle_payments=True),
        "random (silence)": dict(regime="silence"),
    }.items():
        net = MarketNet(modules, epochs=epochs, random_state=seed, **more).fit(X, y)
        found[arm] = loss_of(z, net.predict_proba(Z))
    copies: dict[str, Any] = {name: clone(one) for name, one in modules}
    alone = {name: one.fit(X, y).predict_proba(Z) for name, one in copies.items()}
    found["best single (by test)"] = min((loss_of(z, one) for one in alone.values()), key=lambda one: one["log-loss"])
    found["uniform mixture"] = loss_of(z, np.mean(list(alone.values()), 0))
    found["MarketClassifier"] = loss_of(z, MarketClassifier(modules, random_state=seed).fit(X, y).predict_proba(Z))
    return found


def loss_of(y: Any, chance: Array) -> dict[str, float]:
    """Log-loss and error % of clipped chances."""
    chance = np.maximum(chance, 1e-3)
    chance = chance / chance.sum(1, keepdims=True)
    return {
        "log-loss": float(-np.log(chance[np.arange(len(y)), y]).mean()),
        "error %": float(100 * (chance.argmax(1) != y).mean()),
    }


# --- a process is killed -------------------------------------------------------------------------------------------------


def killed(seed: int, epochs: int) -> dict[str, Any]:
    """Held-out loss of what is sold, before the richest module's process is killed, at its worst after, and at the end."""
    (X, y, _), (Z, z, _) = kinds(seed)
    at = 3 * epochs // 2

    def look(frame: Any) -> None:
        if frame.round == at:
            richest = int(np.argmax(frame.values["wealth"]))
            os.kill(int(frame.values["process"][richest]), signal.SIGKILL)

    net = market(seed, epochs, capacity=0.4, processes=True, look=look).fit(X, y)
    whole = market(seed, epochs, capacity=0.4).fit(X, y)
    loss, before = net.losses_, net.losses_[at - 3 : at].mean()
    back = [t + 1 for t in range(3, len(loss) - at + 1) if loss[at + t - 3 : at + t].mean() <= before]
    return {
        "seed": seed,
        "loss before": before,
        "worst after": loss[at:].max(),
        "rounds to regain": back[0] if back else "not regained",
        "loss at the end": loss[-3:].mean(),
        "same market, nobody killed": whole.losses_[-3:].mean(),
        "held-out error %": 100 * (1 - net.score(Z, z)),
        "error %, nobody killed": 100 * (1 - whole.score(Z, z)),
    }


# --- goods ---------------------------------------------------------------------------------------------------------------

REGIMES = {  # name: (regime, whether bankrupts are replaced)
    "fixed shares": ("collaboration", False),
    "fitted shares": ("fitted", False),
    "competition": ("competition", False),
    "payments shuffled": ("shuffled", False),
    "competition, entry": ("competition", True),
    "payments shuffled, entry": ("shuffled", True),
}
WIDTHS = ((64, 16), (16, 16), (16, 10))


class Saboteur(eqx.Module):
    """A supplier whose good means nothing, and that cannot learn."""

    weight: jax.Array

    def __call__(self, x: Any) -> Any:
        return jnp.sin(jax.lax.stop_gradient(self.weight) @ x)


def maker(key: Any, good: int, _: int = 0) -> Any:
    """A sound supplier that has learnt nothing."""
    inputs, outputs = WIDTHS[good]
    return eqx.nn.MLP(inputs, outputs, 16, 1, jax.nn.relu, plain if good == 2 else jnp.tanh, key=key)


def plain(x: Any) -> Any:
    """As it is."""
    return x


def goods(seed: int, steps: int, spoilt: bool, regime: str) -> dict[str, float]:
    """Test loss and error of two rivals a good; the same first parameters and batches in all regimes."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    from catallax.experts.goods.rivalry import train
    from catallax.experts.production import Good, ProductionNetwork

    X, y = load_digits(return_X_y=True)
    X, Z, y, z = train_test_split(X / 16, y, test_size=0.3, stratify=y, random_state=seed)
    keys = jax.random.split(jax.random.key(seed), 7)
    pairs = [[maker(keys[2 * g + s], g) for s in range(2)] for g in range(3)]
    if spoilt:
        pairs[0][1] = Saboteur(3000 * jax.random.normal(keys[6], (16, 64)))
    named = zip(("strokes", "shapes", "digit"), ("input", "strokes", "shapes"), pairs, strict=True)
    economy = ProductionNetwork([Good(*one) for one in named])
    how, entry = REGIMES[regime]
    X, Z = jnp.asarray(X, jnp.float32), jnp.asarray(Z, jnp.float32)
    made = train(
        economy, X, jnp.asarray(y), nats, regime=how, steps=steps, seed=seed, entrants=maker if entry else None
    )
    left = [event for event in made.events if event[3] == "bankrupt"]
    second = [event[0] for event in left if event[1:3] == ("strokes", 1)]
    return loss_of(z, np.asarray(jax.nn.softmax(jax.vmap(made.network)(Z)))) | {
        "share of rival 2 of strokes": float(made.shares[0][-1][1]),
        "bankrupt": float(len(left)),
        "rival 2 of strokes left %": 100.0 * bool(second),
        "a sound one of strokes left first %": 100.0 * bool(left and left[0][1:3] == ("strokes", 0)),
    }


def nats(prediction: Any, target: Any) -> Any:
    """Cross-entropy of one row."""
    return -jax.nn.log_softmax(prediction)[target]


def goods_table(seeds: tuple[int, ...], steps: int, spoilt: bool) -> harness.Table:
    """All regimes in one world."""
    world = "one of two suppliers of strokes a saboteur" if spoilt else "two sound rivals each"
    found = {}
    for regime in REGIMES:
        found[regime] = [
            kept(f"goods-{regime}-{spoilt}-{seed}", steps, lambda s=seed, r=regime: goods(s, steps, spoilt, r))
            for seed in seeds
        ]
        harness.say(f"  goods, {world}, {regime}: {values(found[regime], 'log-loss').mean():.3f}")
    notes = [
        judged(found, "Do payments matter?", "competition", ["payments shuffled"]),
        judged(found, "Does competition help?", "competition", ["fixed shares", "fitted shares"]),
        judged(found, "With entry:", "competition, entry", ["payments shuffled, entry"]),
        judged(found, "With entry:", "competition, entry", ["fixed shares", "fitted shares"]),
        "Shares that follow value are, to first order, shares fitted by the gradient (replicator dynamics): where the two tie, "
        "competition is a weight fit by another name. Only exit and entry are more than that.",
        "What the shuffle leaves as it is: suppliers still learn at the true prices.",
    ]
    return harness.Table(f"Goods, {world}", table_of_arms(found, "competition"), notes)


def benchmark(options: harness.Options) -> harness.Report:
    """All tables."""
    warnings.filterwarnings("ignore", category=UserWarning)
    harness.choose_device(options.device)
    seeds, epochs = ((1000,), 6) if options.quick else (SEEDS, EPOCHS)
    found = []
    for seed in seeds:
        found.append(kept(f"showcase-{seed}", epochs, lambda s=seed: showcase(s, epochs)))
        harness.say(f"  kinds, seed {seed}: {found[-1]['market']}")
    arms = by_arm(found)
    rivals = ["one module of all parameters (64)", "uniform mixture of 4, each of all rows"]
    notes = [
        *NOTES,
        judged(arms, "Do payments matter?", "market", ["payments shuffled"]),
        judged(arms, "Does the market help?", "market", [*rivals, "MarketClassifier of 4, each of all rows"]),
    ]
    parts = [harness.Table("Digits under four unknown transforms", table_of_arms(arms), notes)]
    for name in ["sklearn wine"] if options.quick else ["sklearn wine", "vehicle", "glass"]:
        arms = by_arm([kept(f"mixed-{name}-{s}", epochs, lambda s=s, n=name: mixed(n, s, epochs)) for s in seeds])
        hurt = judged(arms, "Do payments matter?", "market", ["payments shuffled"])
        parts.append(harness.Table(f"A network, a tree and neighbours on {name}", table_of_arms(arms), [hurt]))
        harness.say(f"  {name}")
    shot = [kept(f"killed-{seed}", epochs, lambda s=seed: killed(s, epochs)) for seed in seeds]
    parts.append(harness.Table("The richest module's process is killed", shot))
    some = ((1000,), 150) if options.quick else (GOODS_SEEDS, GOODS_STEPS)
    parts += [goods_table(*some, spoilt) for spoilt in (False, True)]
    return harness.Report(
        name="market_net",
        question="Where does it help that modules bid for what they learn from?",
        tables=parts,
        versions=harness.versions("catallax", "numpy", "scipy", "scikit-learn", "jax"),
        options=options,
    )


NOTES = [
    "Paired differences over seeds, +- half of Student's 95 % interval; positive: worse than the market.",
    "Routed arms answer by one module a row; mixtures and MarketClassifier by four, each of which has seen every row.",
    "The bound reads the labels: no router of these modules does better at these capacities.",
]

if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
