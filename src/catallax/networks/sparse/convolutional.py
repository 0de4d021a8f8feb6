"""Convolutional sparse codes: the same few kernels compete at every place of an image.

    minimise over a   |x - sum_k sum_p a_kp S_p d_k|^2 / 2 + penalty |a|_1        S_p puts a kernel at place p

Places are `stride` pixels apart, and kernels lie wholly inside the image, so that every atom S_p d_k is of unit norm. It is the
same competition with a dictionary of places times kernels (never formed): the same methods, the same gap. Pixels beyond the
last place that fits are explained by nobody. LCA as in P. Schultz et al., Replicating kernels with a short stride allows sparse
reconstructions with fewer independent kernels, 2014.
"""

from functools import cached_property
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from catallax.core.errors import BadInput
from catallax.networks.sparse.atoms import Array, Atoms, Operator
from catallax.networks.sparse.batch import drive
from catallax.networks.sparse.coder import NO_GAP, Codes, SparseCoder, warm, whole_number
from catallax.networks.sparse.fista import FISTA
from catallax.networks.sparse.lca import LCA

POWER, STILL, SAFE = (
    500,
    1e-5,
    1.02,
)  # rounds of the power method, at most; it comes from below: when to stop, what to add
METHODS = {"auto": FISTA, "fista": FISTA, "lca": LCA}


class Shifted(Operator):
    """Kernels [atoms, height, width] at all places of images of one size: an `Operator` on flat images and flat codes.

    `places`: (rows, columns) of places. Codes are [samples, rows * columns * atoms], atoms running fastest.
    """

    def __init__(self, kernels: Array, stride: int, size: tuple[int, int]) -> None:
        self.shape, self.stride, self.size = kernels.shape[1:], stride, size
        self.table = Atoms(kernels.reshape(len(kernels), -1))
        self.places = tuple((whole - part) // stride + 1 for whole, part in zip(size, self.shape, strict=True))

    @property
    def count(self) -> int:
        """How many atoms there are: kernels times places."""
        return self.table.count * self.places[0] * self.places[1]

    def match(self, residual: Array) -> Array:
        """Each kernel at each place against flat residuals."""
        images = residual.reshape(-1, *self.size)
        windows = np.lib.stride_tricks.sliding_window_view(images, self.shape, axis=(1, 2))
        windows = windows[:, :: self.stride, :: self.stride].reshape(-1, self.shape[0] * self.shape[1])
        return self.table.match(windows).reshape(len(images), -1)

    def explain(self, codes: Array) -> Array:
        """Flat images of flat codes: the adjoint of `match`."""
        (rows, columns), s = self.places, self.stride
        parts = self.table.explain(codes.reshape(-1, self.table.count)).reshape(-1, rows, columns, *self.shape)
        images = np.zeros((len(parts), *self.size), codes.dtype)
        for i in range(self.shape[0]):
            for j in range(self.shape[1]):
                images[:, i : i + s * rows : s, j : j + s * columns : s] += parts[..., i, j]
        return images.reshape(len(parts), -1)

    @cached_property
    def strength(self) -> float:
        """The largest eigenvalue of explaining what matches: by the power method, a little more than it finds."""
        image, found = np.random.default_rng(0).normal(size=(1, self.size[0] * self.size[1])), 1.0
        for _ in range(POWER):
            image = self.explain(self.match(image / np.linalg.norm(image)))
            before, found = found, float(np.linalg.norm(image))
            if abs(found - before) <= STILL * found:
                break
        return SAFE * found


class ConvolutionalCoder(BaseEstimator):
    """Sparse codes of images over kernels that may lie anywhere.

    Parameters
    ----------
    kernels : [atoms, height, width], each of unit norm (over its pixels).
    stride : pixels between places.
    method : "auto" (FISTA; for the hard threshold LCA), "fista", or "lca".
    penalty, threshold, positive, tolerance, max_rounds, rate : as in `SparseCoder`.
    """

    def __init__(
        self,
        kernels: Any,
        *,
        stride: Any = 1,
        penalty: Any = 0.1,
        method: Any = "auto",
        threshold: Any = "soft",
        positive: Any = False,
        tolerance: Any = 1e-3,
        max_rounds: Any = 10_000,
        rate: Any = None,
    ) -> None:
        self.kernels = kernels
        self.stride = stride
        self.penalty = penalty
        self.method = method
        self.threshold = threshold
        self.positive = positive
        self.tolerance = tolerance
        self.max_rounds = max_rounds
        self.rate = rate

    def code(self, images: Any, start: Any = None) -> Codes:
        """`codes` [samples, rows, columns, atoms] of images [samples, height, width], and the gap of each image.

        `start`: codes to go on from. Raises `BadInput` for kernels that are zero, not of unit norm or larger than the images,
        and for images that hold NaN.
        """
        images = pictures(images)
        atoms, aim = self._at(images.shape[1:]), self._numbers()._aim()
        flat = images.reshape(len(images), -1)
        if start is not None:
            start = warm(np.reshape(start, (len(images), -1)), len(images), atoms, aim.positive)
        kind = LCA if aim.hard and self.method == "auto" else METHODS[self.method]
        extra = (self.rate,) if kind is LCA else ()
        found = drive(kind(atoms, aim, flat.dtype.type, *extra), flat, start, atoms, aim)
        codes = found.codes.reshape(len(images), *atoms.places, -1)
        return Codes(codes, *found[1:], notes=(NO_GAP,) if aim.hard else ())

    def explain(self, codes: Any, size: tuple[int, int]) -> Array:
        """The images of `size` (height, width) that codes [samples, rows, columns, atoms] explain."""
        codes = np.asarray(codes)
        return self._at(size).explain(codes.reshape(len(codes), -1)).reshape(len(codes), *size)

    def _numbers(self) -> SparseCoder:
        """The parameters that are those of `SparseCoder`."""
        if self.method not in METHODS or (self.threshold == "hard" and self.method == "fista"):
            raise BadInput(f"method is {self.method!r}: give 'auto', 'lca' or, for threshold='soft', 'fista'")
        return SparseCoder(
            penalty=self.penalty,
            threshold=self.threshold,
            positive=self.positive,
            tolerance=self.tolerance,
            max_rounds=self.max_rounds,
            rate=self.rate,
        )

    def _at(self, size: tuple[int, int]) -> Shifted:
        """The kernels at all places of images of `size`."""
        whole_number("stride", self.stride, optional=False)
        kernels = np.asarray(self.kernels)
        if kernels.ndim != 3 or any(part > whole for part, whole in zip(kernels.shape[1:], size)):
            raise BadInput(
                f"kernels have shape {kernels.shape}: give [atoms, height, width] no larger than the images, {tuple(size)}"
            )
        return Shifted(kernels, int(self.stride), (size[0], size[1]))


def pictures(images: Any) -> Array:
    """Images [samples, height, width] in float32 or float64; one image gets the first axis."""
    images = np.asarray(images)
    images = images if images.dtype in (np.float32, np.float64) else images.astype(np.float64)
    images = images[None] if images.ndim == 2 else images
    if images.ndim != 3 or 0 in images.shape:
        raise BadInput(f"images have shape {images.shape}: give [samples, height, width]")
    fine = np.isfinite(images).all(axis=(1, 2))
    if not fine.all():
        raise BadInput(f"image {int(np.argmin(fine))} holds NaN or infinity: leave it out or fill it in")
    return images
