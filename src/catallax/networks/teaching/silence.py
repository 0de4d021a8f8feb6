"""Silence: the hidden layers are told nothing, and stay as they were drawn. Only the last one learns.

    w_L <- w_L - rate dL / dw_L           w_l as drawn for l < L

The last layer hears the label and makes its own error of it. What the others give it are random features: the control
beside every kind of teaching, for what a network can do without a word to its hidden layers.

A. Rahimi and B. Recht, Random Features for Large-Scale Kernel Machines, NeurIPS 2007.
"""

from catallax.networks.teaching.sweep import activities, keys
from catallax.signals.teaching import Batch, Part, Taught, Teaching, Wire, pulled


class Silence(Teaching):
    """Hidden layers are told nothing."""

    alone = True
    locked = False
    charges = False

    def teach(self, parts: tuple[Part, ...], batch: Batch, wire: Wire) -> Taught:
        last, x = len(parts) - 1, activities(parts, batch)
        loss, error = batch.loss.error(x[-1], wire.label(last, batch.target, batch.loss))
        key = keys(batch, len(parts))[last]
        gradient = pulled(lambda layer: layer(x[last], key), parts[last].layer, error)
        return Taught((*(Part(None) for _ in parts[:last]), Part(gradient)), loss)
