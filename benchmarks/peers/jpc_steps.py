"""Training steps of predictive coding by JPC: its own updates of activities and of weights in one compiled step.

Request: sizes, steps and size (of the relaxation), batch, lessons (training steps a repeat), repeats. Answer: seconds (one per
repeat), versions.
"""

# pyright: reportMissingImports=false
# (the peer is not installed where ours is)

import importlib.metadata
import json
import sys
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import jpc
import numpy as np
import optax


def lesson_of(steps, slow, quick):
    """A training step, compiled: the sweep forward, `steps` steps of the activities, one of the weights."""

    @eqx.filter_jit
    def lesson(model, state, x, y):
        activities = jpc.init_activities_with_ffwd(model=model, input=x)
        inner = quick.init(activities)
        for _ in range(steps):
            given = {"params": (model, None), "activities": activities, "output": y, "input": x}
            moved = jpc.update_pc_activities(**given, optim=quick, opt_state=inner)
            activities, inner = moved["activities"], moved["opt_state"]
        given = {"params": (model, None), "activities": activities, "output": y, "input": x}
        learnt = jpc.update_pc_params(**given, optim=slow, opt_state=state)
        return learnt["model"], learnt["opt_state"]

    return lesson


def main():
    """Time as asked and answer."""
    request = json.loads(sys.argv[1])
    sizes, batch = request["sizes"], request["batch"]
    shape = {"input_dim": sizes[0], "width": sizes[1], "depth": len(sizes) - 1, "output_dim": sizes[-1]}
    model = jpc.make_mlp(jax.random.PRNGKey(0), **shape, act_fn="tanh", use_bias=True)
    random = np.random.default_rng(0)
    x = random.uniform(size=(request["lessons"], batch, sizes[0])).astype(np.float32)
    y = np.eye(sizes[-1], dtype=np.float32)[random.integers(0, sizes[-1], x.shape[:2])]
    slow = optax.adam(1e-3)
    quick = optax.sgd(request["size"] * batch)  # its energy is a mean over the batch
    lesson = lesson_of(request["steps"], slow, quick)
    state = slow.init((eqx.filter(model, eqx.is_array), None))
    x, y = list(map(jnp.asarray, x)), list(map(jnp.asarray, y))
    seconds = []
    for number in range(request["repeats"] + 1):
        start = time.perf_counter()
        for rows, targets in zip(x, y) if number else list(zip(x, y))[:2]:
            model, state = lesson(model, state, rows, targets)
        held = jax.block_until_ready(jax.tree.leaves(eqx.filter(model, eqx.is_array)))
        seconds.append(time.perf_counter() - start)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in held)
    versions = {name: importlib.metadata.version(name) for name in ("jpc", "jax")}
    print(json.dumps({"seconds": seconds[1:], "versions": versions}))


if __name__ == "__main__":
    main()
