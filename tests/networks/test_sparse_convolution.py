"""Convolutional codes are sparse codes over the dictionary of all places, which is small enough here to be written out."""

import numpy as np
import pytest

from catallax.core.errors import BadInput
from catallax.networks.sparse.coder import SparseCoder
from catallax.networks.sparse.convolutional import ConvolutionalCoder, Shifted


@pytest.fixture(scope="module")
def facts():
    random = np.random.default_rng(0)
    kernels = random.normal(size=(3, 3, 4))
    return kernels / np.sqrt((kernels**2).sum((1, 2), keepdims=True)), random.normal(size=(2, 9, 8))


def written_out(kernels, stride, size):
    """Each kernel at each place, by loops."""
    atoms = []
    for y in range(0, size[0] - kernels.shape[1] + 1, stride):
        for x in range(0, size[1] - kernels.shape[2] + 1, stride):
            for kernel in kernels:
                image = np.zeros(size)
                image[y : y + kernel.shape[0], x : x + kernel.shape[1]] = kernel
                atoms.append(image.ravel())
    return np.array(atoms)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_the_operator_is_the_dictionary_of_all_places(facts, stride):
    kernels, images = facts
    places, table = Shifted(kernels, stride, (9, 8)), written_out(kernels, stride, (9, 8))
    np.testing.assert_allclose(places.explain(np.eye(places.count)), table)
    np.testing.assert_allclose(places.match(images.reshape(2, -1)), images.reshape(2, -1) @ table.T)
    exact = np.linalg.norm(table, 2) ** 2
    assert exact <= places.strength <= 1.05 * exact


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("method", ["lca", "fista"])
def test_codes_are_those_of_that_dictionary(facts, method, positive):
    kernels, images = facts
    coder = ConvolutionalCoder(kernels, stride=2, method=method, penalty=0.3, positive=positive, tolerance=1e-10)
    found = coder.code(images)
    table = written_out(kernels, 2, (9, 8))
    best = SparseCoder(table, penalty=0.3, positive=positive, tolerance=1e-12).code(images.reshape(2, -1))
    assert found.codes.shape == (2, 4, 3, 3) and found.gap.max() <= 1e-10
    np.testing.assert_allclose(found.codes.reshape(2, -1), best.codes, atol=1e-4)
    np.testing.assert_allclose(coder.explain(found.codes, (9, 8)).reshape(2, -1), best.codes @ table, atol=1e-4)
    again = coder.code(images, start=found.codes)
    assert again.rounds.max() <= 6


def test_the_hard_threshold_comes_to_rest(facts):
    kernels, images = facts
    found = ConvolutionalCoder(kernels, threshold="hard", penalty=0.3).code(images.astype(np.float32))
    assert found.codes.dtype == np.float32 and found.unrest.max() <= 1e-3
    assert np.isnan(found.gap).all() and "gaps are NaN" in found.notes[0]


def test_bad_input_gets_a_sentence(facts):
    kernels, images = facts
    for words, make in (
        ("dictionary row 0 has norm 2", lambda: ConvolutionalCoder(2 * kernels).code(images)),
        ("kernels have shape", lambda: ConvolutionalCoder(kernels).code(images[:, :2])),
        ("image 0 holds NaN", lambda: ConvolutionalCoder(kernels).code(images * np.nan)),
        ("images have shape", lambda: ConvolutionalCoder(kernels).code(np.ones(3))),
        ("stride is 0", lambda: ConvolutionalCoder(kernels, stride=0).code(images)),
        ("method is 'fista'", lambda: ConvolutionalCoder(kernels, threshold="hard", method="fista").code(images)),
        ("penalty is 0", lambda: ConvolutionalCoder(kernels, penalty=0).code(images)),
    ):
        with pytest.raises(BadInput, match=words):
            make()
