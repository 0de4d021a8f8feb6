"""A two-layer network as a crowd: gradient descent to rounding, and the same curve for all widths."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import catallax as cx
from catallax.core.errors import BadInput, Refused
from catallax.networks.mean_field import TwoLayer, drawn
from catallax.networks.wide.neurons import ACTIVATIONS, Neuron
from catallax.networks.wide.planner import best_output
from catallax.questions import compare, frontier, lesion, shock
from catallax.testing import check_problem

ROWS, FEATURES, WIDTH = 40, 3, 12


def data(rows=ROWS, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, FEATURES))
    return X, np.tanh(X[:, 0] + X[:, 1]) - X[:, 2] * np.tanh(2 * X[:, 1])


def network(loss="squared", neurons=WIDTH, **more):
    X, y = data()
    return TwoLayer(X, (y > 0) * 1.0 if loss == "logistic" else y, neurons, loss=loss, **more)


def loss_by_hand(own, problem):
    """The whole network's loss, written anew."""
    a, w, b = own
    hidden = jax.vmap(lambda x: ACTIVATIONS[problem.act](w @ x + b))(problem.X)
    f, y = hidden @ a / len(a), problem.y
    return jnp.mean((f - y) ** 2) / 2 if problem.loss == "squared" else jnp.mean(jnp.log1p(jnp.exp(f)) - y * f)


def close(one, other, tolerance=1e-12):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=tolerance, atol=tolerance)


# --- gradient descent ---


@pytest.mark.parametrize(("loss", "act"), [("squared", "tanh"), ("squared", "relu"), ("logistic", "gelu")])
def test_what_neurons_do_alone_is_the_gradient_of_the_whole(loss, act):
    with jax.enable_x64(True):
        problem = network(loss, act=act, rate=0.7)
        wanted = jax.grad(loss_by_hand)(problem.start, problem)
        society = problem.society()
        close(society.agents.climb(society.signal.public(), problem.X), [WIDTH * g for g in wanted])
        after = cx.run(society, 1).society.agents.own
        close(after, [x - 0.7 * WIDTH * g for x, g in zip(problem.start, wanted, strict=True)])


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_thirty_rounds_are_thirty_steps_of_gradient_descent(loss):
    with jax.enable_x64(True):
        problem = network(loss, rate=0.5)
        own, slope, losses = problem.start, jax.jit(jax.grad(loss_by_hand)), []
        for _ in range(30):
            own = jax.tree.map(lambda x, g: x - 0.5 * WIDTH * g, own, slope(own, problem))
            losses.append(float(loss_by_hand(own, problem)))
        record = cx.Record(every=1, **problem.watch())
        ran = cx.run(problem, 30, record=record)
        close(ran.parameters, own, 1e-11)
        np.testing.assert_allclose(ran.record["loss"][1:], losses, rtol=1e-10)
        assert ran.loss == pytest.approx(losses[-1], rel=1e-12) and losses[-1] < losses[0]


def test_tally_is_everyone_responding_and_being_heard():
    problem = network()
    society = problem.society()
    signal, agents = society.signal, society.agents
    axes = jax.tree.map(lambda x: 0 if jnp.ndim(x) else None, agents)
    respond = jax.vmap(lambda n, rows: n.respond(cx.View(signal.public(), rows), None), in_axes=(axes, 0))
    one, actions = respond(agents, signal.local(agents))
    two, summary = agents.tally(cx.View(signal.public(), signal.local(agents)), None)
    close(one.own, two.own, 1e-6)
    close(signal.listen(actions), summary, 1e-5)
    close([signal.propagate(summary).residual + problem.y], [summary.output / WIDTH], 1e-6)
    assert float(signal.unrest(summary)) == pytest.approx(problem.gap(problem.outcome(society)), rel=1e-4)


def test_blocks_turns_and_sleepers_descend_too():
    problem = network()
    plain, parted = cx.run(problem, 20), cx.run(problem, 20, blocks=4)
    np.testing.assert_allclose(plain.output, parted.output, atol=1e-5)
    for how in ("random order", 0.5):
        ran = cx.run(problem, 20, activation=how)
        assert ran.loss < 0.7 * problem.outcome(problem.society()).loss
        heard = np.asarray(ran.society.signal.residual) + np.asarray(problem.y)
        np.testing.assert_allclose(heard, ran.output, atol=1e-5)  # the residual is of what all now say


# --- width ---


def test_the_fluctuation_over_draws_falls_with_the_root_of_the_width():
    widths, seeds = (16, 64, 256), 12
    swing, losses = [], []
    for n in widths:
        ran = [cx.run(network(neurons=n, seed=s), 40) for s in range(seeds)]
        swing.append(np.sqrt(np.var([r.output for r in ran], axis=0, ddof=1).mean()))
        losses.append(np.mean([r.loss for r in ran]))
    assert -0.65 < np.polyfit(np.log(widths), np.log(swing), 1)[0] < -0.35
    assert abs(losses[2] - losses[1]) < 0.5 * abs(losses[1] - losses[0])


def test_copies_change_nothing_but_the_own_effect():
    one = network()
    two = one.replicate(2)
    a, b = cx.run(one, 30), cx.run(two, 30)
    np.testing.assert_allclose(a.output, b.output, atol=2e-6)
    close([jnp.concatenate([x, x]) for x in a.parameters], b.parameters, 1e-5)
    assert two.neurons == 2 * WIDTH and one.effect(a) == pytest.approx(2 * two.effect(b), rel=1e-3)


def test_a_neuron_is_drawn_alike_at_every_width():
    close(drawn(5, FEATURES, 3), [x[:5] for x in drawn(9, FEATURES, 3)], 0)
    assert (np.asarray(drawn(5, FEATURES, 3).bias) != np.asarray(drawn(5, FEATURES, 4).bias)).all()
    many = drawn(20_000, FEATURES, 0)
    assert abs(float(jnp.std(many.weights)) - FEATURES**-0.5) < 0.01 and abs(float(jnp.mean(many.out))) < 0.03


@pytest.mark.long
def test_reckoning_with_the_own_effect_matters_less_the_more_there_are():
    moved = []
    for copies in (8, 32):
        crowd = network().replicate(copies)
        plain = crowd.society()
        taker = plain.agents.moved(plain.agents.climb(plain.signal.public(), crowd.X)).own
        knower = cx.run(crowd.society(1.0), 1).society.agents.own
        moved.append(max(float(jnp.max(jnp.abs(a - b))) for a, b in zip(taker, knower, strict=True)))
    assert moved[0] > 1e-4 and moved[0] / moved[1] == pytest.approx(4, rel=0.1)


def test_the_reckoners_step_is_the_implicit_one():
    """By its optimality: it minimises the loss of outputs that move linearly, plus |step|^2 / (2 rate n)."""
    with jax.enable_x64(True):
        problem = network(neurons=2, rate=0.8)
        after = cx.run(problem.society(1.0), 1).society.agents.own
        X, start = np.asarray(problem.X), [np.asarray(x) for x in problem.start]
        for i in range(2):
            z = np.tanh(X @ start[1][i] + start[2][i])
            slopes = np.column_stack([z, (start[0][i] * (1 - z**2))[:, None] * X, start[0][i] * (1 - z**2)]) / 2
            step = np.concatenate([np.ravel(x[i] - s[i]) for x, s in zip(after, start, strict=True)])
            missing = np.asarray(problem.society().signal.residual) + slopes @ step
            np.testing.assert_allclose(slopes.T @ missing / ROWS + step / (0.8 * 2), 0, atol=1e-12)


# --- the other regimes ---


def test_silence_is_everyone_alone():
    problem = network(neurons=1)
    np.testing.assert_allclose(problem.silence().output, cx.run(problem, problem.patience).output, atol=1e-4)
    crowd = network(neurons=3)
    each = [network(neurons=1, start=jax.tree.map(lambda x, i=i: x[i : i + 1], crowd.start)) for i in range(3)]
    mean = np.mean([e.silence().output for e in each], axis=0)
    np.testing.assert_allclose(crowd.silence().output, mean, atol=1e-4)


def test_the_planner_is_least_squares_or_the_best_of_logistic_fits():
    problem = network()
    plan = problem.plan()
    hidden = np.tanh(np.asarray(problem.X @ problem.start.weights.T + problem.start.bias, np.float64))
    best = hidden @ np.linalg.lstsq(hidden, np.asarray(problem.y, np.float64))[0]
    np.testing.assert_allclose(plan.output, best, atol=1e-5)
    assert plan.status == "settled" and plan.certificate < 1e-10
    labels = (data()[1] > 0) * 1.0
    said, slope = best_output(hidden, labels, "logistic")
    assert slope < 1e-6
    nearby = said[:, None] + hidden @ np.random.default_rng(0).normal(size=(WIDTH, 200)) * 0.05

    def loss(f):
        return np.mean(np.logaddexp(0, f) - labels[:, None] * f + 1e-6 * f**2 / 2, 0)

    assert (loss(nearby) > loss(said[:, None])).all()


def test_who_coordinates():
    rows = {r["regime"]: r for r in compare(network(neurons=32)).rows}
    explained = {k: r["efficiency"] for k, r in rows.items()}
    assert explained["silence"] < explained["signal"] < 1 and explained["planner"] > explained["silence"]
    assert abs(explained["full_information"] - explained["signal"]) < 0.05
    assert rows["signal"]["bits"] == 32 * (ROWS + ROWS + 1)  # residual, sum of outputs, slope: whatever the width


def test_a_residual_of_few_bits_teaches_less():
    rows = {r["point"]: r["efficiency"] for r in frontier(network(), bits=(1, 8), leaks=(), seeds=1).rows}
    assert rows["1 bit"] < rows["8 bits"] and abs(rows["8 bits"] - rows["exact"]) < 0.02


@pytest.mark.long
def test_no_neuron_is_a_master():
    answer = lesion(network(neurons=32), fractions=(0.25,), seeds=1)
    assert all(r["recovered"] > 0.8 for r in answer.rows)
    problem = network()
    rest, keep = cx.run(problem, 5), np.arange(WIDTH) < 7
    left = problem.restrict(keep)
    carried = left.carried(rest.society, keep)
    close([carried.signal.residual], [rest.society.signal.residual], 0)  # they still hear the old residual
    said = np.asarray(rest.parameters.said(problem.X, jnp.tanh))[:, keep].mean(1)
    np.testing.assert_allclose(left.outcome(carried).output, said, atol=1e-6)
    with pytest.raises(Refused, match="no neurons would be left"):
        problem.restrict(keep & False)


def test_targets_that_change_are_learnt_anew():
    answer = shock(network(neurons=32), size=0.5, rounds=60)
    assert answer.rows[0]["efficiency"] < answer.rows[-1]["efficiency"]
    flipped = network("logistic").shocked(cx.random.key(0), 0.5)
    assert set(np.unique(flipped.y)) == {0.0, 1.0} and 5 < (flipped.y != network("logistic").y).sum() < 35


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_it_keeps_the_laws(loss):
    X, y = data()
    bad = [partial(TwoLayer, X, y[:-1]), partial(TwoLayer, X, y, loss="logistic"), partial(TwoLayer, X * np.nan, y)]
    assert {"locality", "honest bits", "certificate"} <= set(check_problem(network(loss, neurons=4), bad=bad))


def test_the_gap_is_the_slope_left():
    problem = network()
    ran = cx.run(problem, 20)
    wanted = jax.grad(loss_by_hand)(ran.parameters, problem)
    slope = WIDTH * np.sqrt(sum(float(jnp.sum(g**2)) for g in wanted) / WIDTH)
    assert problem.gap(ran) == pytest.approx(slope, rel=1e-4)
    told = problem.contest()
    assert told.status == "unsettled" and told.rounds == problem.patience and told.certificate == problem.gap(told)


def test_what_it_looks_like():
    scene = network().scene(network().society())
    assert scene.items[0].x.shape == (WIDTH,) and len(scene.items) == 1
    x = np.linspace(-1, 1, 9)
    line = TwoLayer(x[::-1, None], x[::-1] ** 2, 4)
    fit = line.scene(line.society()).items[1:]
    assert [s.name for s in fit] == ["data", "network"] and (np.diff(fit[0].x) > 0).all()
    np.testing.assert_allclose(fit[0].y, x**2, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (dict(X=np.zeros(3)), r"X has shape \(3,\)"),
        (dict(y=[1.0]), r"y has shape \(1,\): give one number for each of 3 rows"),
        (dict(X=[[0.0], [np.inf], [1.0]]), r"X\[1, 0\] is inf"),
        (dict(y=[0.0, np.nan, 1.0]), r"y\[1\] is nan"),
        (dict(y=["a", "b", "c"]), "must be numbers"),
        (dict(y=[0.0, 2.0, 1.0], loss="logistic"), r"y\[1\] is 2: a logistic loss takes labels 0 and 1"),
        (dict(y=[1.0, 1.0, 1.0]), "nothing to learn"),
        (dict(loss="hinge"), "loss is 'hinge'"),
        (dict(act="step"), "act is 'step'"),
        (dict(neurons=0), "neurons is 0"),
        (dict(rate=-1.0), "rate is -1.0"),
    ],
)
def test_bad_input_is_said_in_a_sentence(change, said):
    with pytest.raises(BadInput, match=said) as caught:
        TwoLayer(**dict(X=[[0.0], [1.0], [2.0]], y=[0.0, 1.0, 1.0]) | change)
    assert "\n" not in str(caught.value)


def test_a_neuron_is_an_agent():
    assert isinstance(network().society().agents, Neuron)
