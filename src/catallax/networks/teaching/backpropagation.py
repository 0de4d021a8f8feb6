"""Backpropagation: each layer is told what its output would be worth to all behind it.

    s_L = dL / dy_L          s_{l-1} = (d y_l / d x_l)^T s_l          (layer l hears s_l, and tells s_{l-1} on)

The chain rule, one layer at a time: updates equal those of `jax.grad` to rounding. Layer l hears as many numbers a row
as it has outputs, and cannot learn before all behind it have spoken.

D. Rumelhart, G. Hinton and R. Williams, Learning representations by back-propagating errors, Nature 323, 1986.
"""

from catallax.networks.teaching.sweep import sweep
from catallax.signals.teaching import Batch, Part, Taught, Teaching, Wire


class Backpropagation(Teaching):
    """The exact gradient, passed from layer to layer."""

    alone = False
    locked = True

    def teach(self, parts: tuple[Part, ...], batch: Batch, wire: Wire) -> Taught:
        output, pulls = sweep(parts, batch)
        loss, signal = batch.loss.error(output, batch.target)
        gradients: list[Part] = []
        for number in reversed(range(len(parts))):
            gradient, signal = pulls[number](wire.tell(number, signal))
            gradients.append(Part(gradient))
        return Taught(tuple(reversed(gradients)), loss)
