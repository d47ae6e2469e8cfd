"""The order of the examples: complete, repeatable, and another one for each epoch and seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanin.draws import permutation
from fanin.errors import FaninError
from fanin.studies.order import batches


@given(
    seed=st.integers(0, 2**64 - 1),
    epoch=st.integers(0, 100),
    n=st.integers(1, 300),
    batch_size=st.integers(1, 400),
)
def test_every_example_comes_once(seed: int, epoch: int, n: int, batch_size: int) -> None:
    cut = batches(seed, epoch, n, batch_size)
    order = np.concatenate(cut)
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    assert {len(batch) for batch in cut[:-1]} <= {batch_size}
    assert 1 <= len(cut[-1]) <= batch_size
    np.testing.assert_array_equal(order, permutation(seed, f"data order/epoch {epoch}", n))


def test_epochs_and_seeds_differ() -> None:
    orders = [np.concatenate(batches(s, e, 100, 16)).tolist() for s in range(5) for e in range(5)]
    assert len({tuple(order) for order in orders}) == 25
    assert np.concatenate(batches(3, 2, 100, 7)).tolist() == orders[3 * 5 + 2]


@pytest.mark.parametrize("wrong", [{"n": 0}, {"batch_size": 0}, {"epoch": -1}])
def test_bad_counts_are_told(wrong: dict[str, int]) -> None:
    with pytest.raises(FaninError, match=next(iter(wrong))):
        batches(**{"seed": 0, "epoch": 0, "n": 10, "batch_size": 2, **wrong})
