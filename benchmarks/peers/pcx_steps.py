"""Training steps of predictive coding by PCX, written as in its example of two moons.

Request: sizes, steps and size (of the relaxation), batch, lessons (training steps a repeat), repeats. Answer: seconds (one per
repeat), versions.
"""

# pyright: reportMissingImports=false
# (the peer is not installed where ours is)

import importlib.metadata
import itertools
import json
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pcx as px
import pcx.functional as pxf
import pcx.nn as pxnn
import pcx.predictive_coding as pxc
import pcx.utils as pxu


class Model(pxc.EnergyModule):
    """Layers of tanh, the last one linear; squared error at the output."""

    def __init__(self, sizes):
        super().__init__()
        self.layers = [pxnn.Linear(*joint) for joint in itertools.pairwise(sizes)]
        self.vodes = [pxc.Vode() for _ in self.layers]
        self.vodes[-1].h.frozen = True

    def __call__(self, x, y):
        for vode, layer in zip(self.vodes[:-1], self.layers[:-1]):
            x = vode(jnp.tanh(layer(x)))
        self.vodes[-1](self.layers[-1](x))
        if y is not None:
            self.vodes[-1].set("h", y)
        return self.vodes[-1].get("u")


PER_ROW = pxu.M(pxc.VodeParam | pxc.VodeParam.Cache)


@pxf.vmap(PER_ROW.to((None, 0)), in_axes=(0, 0), out_axes=0)
def forward(x, y, *, model):
    """The output of each row."""
    return model(x, y)


@pxf.vmap(PER_ROW.to((None, 0)), in_axes=(0,), out_axes=(None, 0), axis_name="batch")
def energy(x, *, model):
    """The energy, summed over rows, and the output of each."""
    y = model(x, None)
    return jax.lax.psum(model.energy(), "batch"), y


@pxf.jit(static_argnums=0)
def lesson(steps, x, y, *, model, optim_w, optim_h):
    """One training step."""
    model.train()
    free = pxu.M_hasnot(pxc.VodeParam, frozen=True)
    with pxu.step(model, pxc.STATUS.INIT, clear_params=pxc.VodeParam.Cache):
        forward(x, y, model=model)
    optim_h.init(free(model))
    for _ in range(steps):
        with pxu.step(model, clear_params=pxc.VodeParam.Cache):
            _, slope = pxf.value_and_grad(free.to([False, True]), has_aux=True)(energy)(x, model=model)
        optim_h.step(model, slope["model"])
    optim_h.clear()
    with pxu.step(model, clear_params=pxc.VodeParam.Cache):
        _, slope = pxf.value_and_grad(pxu.M(pxnn.LayerParam).to([False, True]), has_aux=True)(energy)(x, model=model)
    optim_w.step(model, slope["model"], scale_by=1.0 / x.shape[0])


def main():
    """Time as asked and answer."""
    request = json.loads(sys.argv[1])
    px.RKG.seed(0)
    model = Model(request["sizes"])
    random = np.random.default_rng(0)
    x = random.uniform(size=(request["lessons"], request["batch"], request["sizes"][0])).astype(np.float32)
    y = np.eye(request["sizes"][-1], dtype=np.float32)[random.integers(0, request["sizes"][-1], x.shape[:2])]
    x, y = list(map(jnp.asarray, x)), list(map(jnp.asarray, y))
    optim_w = pxu.Optim(lambda: optax.adam(1e-3), pxu.M(pxnn.LayerParam)(model))
    optim_h = pxu.Optim(lambda: optax.sgd(request["size"]))
    held = jax.tree.leaves(model)
    seconds = []
    for number in range(request["repeats"] + 1):
        start = time.perf_counter()
        for rows, targets in zip(x, y) if number else list(zip(x, y))[:2]:  # it compiles twice
            lesson(request["steps"], rows, targets, model=model, optim_w=optim_w, optim_h=optim_h)
        held = jax.block_until_ready(jax.tree.leaves(model))
        seconds.append(time.perf_counter() - start)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in held if hasattr(leaf, "dtype"))
    versions = {name: importlib.metadata.version(name) for name in ("pcx", "jax")}
    print(json.dumps({"seconds": seconds[1:], "versions": versions}))


if __name__ == "__main__":
    main()
