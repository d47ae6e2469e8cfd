"""Sparse matrices: as many zeros as PyTorch places, and in random places."""

import math

import numpy as np
import pytest

from fanin.draws import Normal, sample
from fanin.schemes import Layout, sparse


@pytest.mark.parametrize("sparsity", [0.0, 0.07, 0.1, 0.5, 0.9, 0.999, 1.0])
@pytest.mark.parametrize("shape", [(100, 7), (13, 20), (1, 3)])
def test_columns_have_pytorch_s_number_of_zeros(sparsity: float, shape: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    theirs = torch.nn.init.sparse_(torch.empty(shape), sparsity).numpy()
    ours = sparse(sparsity).values(shape, seed=0, name="w")
    np.testing.assert_array_equal((ours == 0).sum(axis=0), (theirs == 0).sum(axis=0))
    dense = sparse(sparsity).values(shape[::-1], seed=0, name="w", layout=Layout.dense())
    np.testing.assert_array_equal((dense == 0).sum(axis=1), (theirs == 0).sum(axis=0))


def test_what_is_left_are_the_normals() -> None:
    ours = sparse(0.5, std=2).values((40, 30), seed=3, name="w")
    normals = np.asarray(sample(Normal(0.0, 2.0), 3, "w", (40, 30)), np.float32)
    np.testing.assert_allclose(ours[ours != 0], normals[ours != 0], rtol=1e-6)


def test_every_place_is_equally_likely() -> None:
    # Each of `columns` columns has 3 zeros in 10 places: a place is hit `columns * 0.3` times, with
    # a binomial's spread, whatever the value drawn there.
    columns = 4000
    ours = sparse(0.3, std=1).values((10, columns), seed=0, name="w")
    hits = (ours == 0).sum(axis=1)
    assert np.abs(hits - 0.3 * columns).max() < 5 * math.sqrt(columns * 0.3 * 0.7)
    normals = np.asarray(sample(Normal(), 0, "w", (10, columns)), np.float64)
    hidden = normals[ours == 0]
    assert abs(hidden.mean()) < 5 / math.sqrt(hidden.size)
    assert abs((hidden**2).mean() - 1) < 5 * math.sqrt(2 / hidden.size)
