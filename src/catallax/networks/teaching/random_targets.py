"""Direct random target projection: every layer is told the label alone, and reads it through a random matrix of its own.

    s_L = dL / dy_L          s_l = -t B_l / batch,   t the one-hot label, B_l [outputs of the network, outputs of layer l]

The label stands in for the sign of the error, which it is: t - y is positive at the right class and negative elsewhere.
Weights go *up* along t B_l phi'(z_l), hence the minus before what optimisers subtract. Nothing of any other layer reaches
a hidden layer, which can learn as soon as its input is there: neither weight transport nor update locking. The signal
never dies away, so that units that saturate (tanh) keep the weights in bounds, and those that do not (relu) may not.

C. Frenkel, M. Lefebvre and D. Bol, Learning without feedback: fixed random learning signals allow for feedforward
training of deep neural networks, Frontiers in Neuroscience 15, 2021, table 1 and algorithm 1.
"""

import dataclasses
from typing import Any

from catallax.networks.teaching.direct_feedback_alignment import projected, projections
from catallax.networks.teaching.feedback_alignment import check_scale
from catallax.networks.teaching.sweep import sweep
from catallax.signals.teaching import Batch, Part, Plan, Taught, Teaching, Wire


class RandomTargets(Teaching):
    """The label, through a fixed random matrix of each layer's own. Layers of any kind, best with tanh.

    **Arguments:** `scale`: of the matrices, as in `DirectFeedbackAlignment`.
    """

    scale: float = 1.0
    matrices: Any = None  # B_l [outputs of the network, *outputs of layer l] of every layer but the last

    alone = True
    locked = False

    def begin(self, plan: Plan, key) -> tuple["RandomTargets", tuple]:
        check_scale(self.scale, "RandomTargets")
        return dataclasses.replace(self, matrices=projections(plan, self.scale, key)), (None,) * len(plan.layers)

    def teach(self, parts: tuple[Part, ...], batch: Batch, wire: Wire) -> Taught:
        output, pulls = sweep(parts, batch)
        targets = [wire.label(number, batch.target, batch.loss) for number in range(len(parts))]
        loss, error = batch.loss.error(output, targets[-1])
        hidden = zip(targets, self.matrices[:-1], strict=False)
        signals = [projected(-batch.loss.code(target) / len(batch.x), matrix) for target, matrix in hidden]
        gradients = [Part(pull(signal)[0]) for pull, signal in zip(pulls, [*signals, error], strict=True)]
        return Taught(tuple(gradients), loss)
