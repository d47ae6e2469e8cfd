"""The draws in torch's own operations: the same bits as the NumPy reference."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from draw_strategies import laws, names, seeds, shapes_and_regions
from fanin.draws import Constant, Normal, TruncatedNormal, Uniform, key, sample
from fanin.draws.reference import numbers_at as reference_at
from fanin.errors import FaninError
from fanin.torch import draws
from fanin.torch.draws import numbers_at, sample_

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


def same_bits(tensor, array):
    return (tensor.cpu().numpy().view(np.uint32) == array.view(np.uint32)).all()


@given(
    laws,
    seeds,
    st.integers(0, 2**34) | st.sampled_from([2**33 - 501, 2**34 - 3, 2**49 - 1000]),
    st.integers(1, 1000),
)
def test_operations_and_reference_have_the_same_bits(law, seed, start, size):
    stream = key(seed, "torch")
    index = np.arange(start, start + size)
    numbers = numbers_at(law, stream, torch.as_tensor(index))
    assert same_bits(numbers, reference_at(law, stream, index.astype(np.uint64)))


@given(laws, seeds, names, shapes_and_regions())
def test_a_part_of_a_tensor_is_drawn_alone(law, seed, name, shape_and_region):
    shape, region = shape_and_region
    part = sample(law, seed, name, shape, region=region)
    tensor = torch.empty(part.shape)
    assert same_bits(sample_(tensor, law, seed, name, shape=shape, region=region), part)


@pytest.mark.parametrize("law", [Normal(0.5, 0.02), TruncatedNormal(cut=0.5), Uniform(-1, 2)])
@pytest.mark.parametrize("region", [None, (slice(5, 90), slice(1, 77))])
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_gpu)])
def test_the_path_of_other_devices(monkeypatch, law, region, device):
    # The CPU takes the host's kernel, so its name is hidden: the operations then run on the CPU.
    shape = (100, 93)
    expected = sample(law, 3, "w", shape, region=region)
    tensor = torch.empty(expected.shape, device=device)
    monkeypatch.setattr(draws, "HOST", "nothing")
    monkeypatch.setattr(draws, "BLOCK", 1000)
    assert same_bits(sample_(tensor, law, 3, "w", shape=shape, region=region), expected)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_types_are_casts_of_float32(kind):
    single = sample_(torch.empty(50, 40), Normal(), 0, "w")
    assert (sample_(torch.empty(50, 40, dtype=kind), Normal(), 0, "w") == single.to(kind)).all()


def test_strides_change_nothing():
    straight = sample_(torch.empty(50, 40), Normal(), 0, "w")
    turned = sample_(torch.empty(40, 50).t(), Normal(), 0, "w")
    last = torch.empty(2, 5, 10, 20).to(memory_format=torch.channels_last)
    assert (straight == turned).all()
    assert (sample_(last, Normal(), 0, "w").reshape(50, 40) == straight).all()


def test_a_negated_view_is_written_to_as_it_reads():
    tensor = vars(torch)["_neg_view"](torch.zeros(3, 4))
    sample_(tensor, Normal(), 0, "w")
    assert torch.equal(tensor, torch.as_tensor(sample(Normal(), 0, "w", (3, 4))))


def test_the_write_is_seen_by_autograd():
    weight = torch.nn.Parameter(torch.ones(3))
    loss = (weight * weight).sum()
    sample_(weight, Normal(), 0, "w")
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    assert weight.requires_grad


def test_no_generator_is_touched():
    before = torch.get_rng_state()
    sample_(torch.empty(10), TruncatedNormal(), 0, "w")
    assert (torch.get_rng_state() == before).all()


def test_constant():
    assert (sample_(torch.empty(3, dtype=torch.bfloat16), Constant(0.5), 0, "w") == 0.5).all()


def test_what_cannot_be_drawn_into_is_told():
    with pytest.raises(FaninError, match="floating-point memory"):
        sample_(torch.empty(3, dtype=torch.int64), Normal(), 0, "w")
    with pytest.raises(FaninError, match="on meta"):
        sample_(torch.empty(3, device="meta"), Normal(), 0, "w")
    with pytest.raises(FaninError, match=r"has shape \(3,\), but the region to draw has \(2,\)"):
        sample_(torch.empty(3), Normal(), 0, "w", shape=(4,), region=(slice(2),))
