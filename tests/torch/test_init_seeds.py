"""With `seed=` and `name=` the values are fanin's draws: a function of seed, name and index."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from fanin.draws import Law, Normal, TruncatedNormal, Uniform, sample, words
from fanin.errors import FaninError
from fanin.schemes import Layout, Scheme, glorot_normal, glorot_uniform, he_normal, he_uniform
from fanin.schemes import orthogonal as orthogonal_scheme
from fanin.schemes import sparse as sparse_scheme
from fanin.torch import init
from init_cases import Arguments, each_random, each_random_name

SHAPE = (24, 6, 3, 3)
FAN_IN, FAN_OUT = 54, 216


def drawn(law: Law) -> torch.Tensor:
    return torch.from_numpy(np.asarray(sample(law, 3, "layer.weight", SHAPE)))


@each_random
def test_a_pure_function_that_touches_no_generator(
    name: str, shape: tuple[int, ...], arguments: Arguments
) -> None:
    fill = getattr(init, name)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = fill(torch.empty(shape), **arguments, seed=3, name="layer.weight")
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    again = fill(torch.full(shape, math.nan), **arguments, seed=3, name="layer.weight")
    assert torch.equal(first, again)
    assert not torch.equal(
        first, fill(torch.empty(shape), **arguments, seed=4, name="layer.weight")
    )
    assert not torch.equal(first, fill(torch.empty(shape), **arguments, seed=3, name="layer.bias"))


@each_random
def test_strides_change_nothing(name: str, shape: tuple[int, ...], arguments: Arguments) -> None:
    fill = getattr(init, name)
    plain = fill(torch.empty(shape), **arguments, seed=0, name="w")
    turned = torch.empty(shape[::-1]).permute(*reversed(range(len(shape))))
    assert torch.equal(fill(turned, **arguments, seed=0, name="w"), plain)
    spread = torch.empty(*shape[:-1], 2 * shape[-1])[..., ::2]
    assert torch.equal(fill(spread, **arguments, seed=0, name="w"), plain)


@each_random
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_lower_precisions_are_the_cast_of_float32(
    name: str, shape: tuple[int, ...], arguments: Arguments, dtype: torch.dtype
) -> None:
    fill = getattr(init, name)
    full = fill(torch.empty(shape), **arguments, seed=0, name="w")
    low = fill(torch.empty(shape, dtype=dtype), **arguments, seed=0, name="w")
    assert torch.equal(low, full.to(dtype))


def test_a_matrix_is_rounded_to_float32_on_its_way_to_half_precision() -> None:
    """Of 90 000 numbers, float64 rounded at once would give some ten others: one in 2^13."""
    full = init.orthogonal_(torch.empty(300, 300), seed=0, name="w")
    half = init.orthogonal_(torch.empty(300, 300, dtype=torch.float16), seed=0, name="w")
    assert torch.equal(half, full.half())


@each_random_name
def test_float64_agrees_with_float32(
    name: str, shape: tuple[int, ...], arguments: Arguments
) -> None:
    fill = getattr(init, name)
    full = fill(torch.empty(shape), **arguments, seed=0, name="w")
    wide = fill(torch.empty(shape, dtype=torch.float64), **arguments, seed=0, name="w")
    assert torch.equal(wide.float(), full)


@pytest.mark.parametrize(
    ("name", "arguments", "law"),
    [
        ("uniform_", {"a": -0.25, "b": 1.5}, Uniform(-0.25, 1.5)),
        ("normal_", {"mean": 0.5, "std": 0.02}, Normal(0.5, 0.02)),
        # Cut at 100 sigmas, or 95 and 105: not at all.
        ("trunc_normal_", {"std": 0.02}, Normal(0.0, 0.02)),
        ("trunc_normal_", {"mean": 0.1, "std": 0.02}, Normal(0.1, 0.02)),
        ("xavier_normal_", {}, Normal(0.0, math.sqrt(2 / (FAN_IN + FAN_OUT)))),
        ("kaiming_normal_", {"nonlinearity": "tanh"}, Normal(0.0, 5 / 3 / math.sqrt(FAN_IN))),
        ("kaiming_normal_", {"mode": "fan_out"}, Normal(0.0, math.sqrt(2) / math.sqrt(FAN_OUT))),
    ],
)
def test_the_values_are_those_of_the_draws(name: str, arguments: Arguments, law: Law) -> None:
    filled = getattr(init, name)(torch.empty(SHAPE), **arguments, seed=3, name="layer.weight")
    assert torch.equal(filled, drawn(law))


@pytest.mark.parametrize("cut", [0.5, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("mean", [0.0, 0.1])
def test_symmetric_bounds_give_the_truncated_normal_of_the_draws(cut: float, mean: float) -> None:
    """torch names the deviation before the cut, the law the one after it."""
    std = 0.3
    density = math.exp(-(cut**2) / 2) / math.sqrt(2 * math.pi)
    after = std * math.sqrt(1 - 2 * cut * density / math.erf(cut / math.sqrt(2)))
    filled = init.trunc_normal_(
        torch.empty(SHAPE),
        mean,
        std,
        mean - cut * std,
        mean + cut * std,
        seed=3,
        name="layer.weight",
    )
    # The two ways to the same numbers differ in the last bits of the scale, and a value that sits
    # on the cut may be redrawn by one and kept by the other: 1296 values, none of them there.
    torch.testing.assert_close(filled, drawn(TruncatedNormal(mean, after, cut)), rtol=1e-6, atol=0)


@pytest.mark.parametrize(("low", "high"), [(-0.5, 2.0), (1.0, 3.0), (-0.05, 0.05), (0.0, math.inf)])
def test_other_bounds_give_the_quantile_of_each_word(low: float, high: float) -> None:
    filled = init.trunc_normal_(torch.empty(SHAPE), 0.0, 1.0, low, high, seed=3, name="w")
    chance = (words(3, "w", SHAPE) + 0.5) / 2.0**32
    expected = stats.truncnorm(low, high).ppf(chance).astype(np.float32)
    np.testing.assert_allclose(filled.numpy(), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("xavier_uniform_", glorot_uniform()),
        ("xavier_normal_", glorot_normal()),
        ("kaiming_uniform_", he_uniform()),
        ("kaiming_normal_", he_normal()),
        ("orthogonal_", orthogonal_scheme()),
    ],
)
def test_the_values_are_those_of_the_schemes(name: str, scheme: Scheme) -> None:
    values = scheme.values(SHAPE, seed=3, name="layer.weight", layout=Layout.conv(2))
    filled = getattr(init, name)(torch.empty(SHAPE), seed=3, name="layer.weight")
    # The schemes may compute the scale in another order: one bit of the float32 scale.
    torch.testing.assert_close(filled, torch.from_numpy(np.asarray(values)), rtol=3e-7, atol=0)


def test_sparse_is_the_scheme() -> None:
    values = sparse_scheme(0.7, 0.5).values((20, 9), seed=3, name="layer.weight")
    filled = init.sparse_(torch.empty(20, 9), 0.7, 0.5, seed=3, name="layer.weight")
    assert torch.equal(filled, torch.from_numpy(np.asarray(values)))


@pytest.mark.parametrize("name", ["normal_", "uniform_", "kaiming_uniform_"])
def test_complex_parts_are_neighbours_in_the_stream(name: str) -> None:
    fill = getattr(init, name)
    parts = fill(torch.empty(4, 6), seed=3, name="layer.weight")
    whole = fill(torch.empty(4, 3, dtype=torch.complex64), seed=3, name="layer.weight")
    ratio = torch.view_as_real(whole).reshape(4, 6) / parts
    # uniform_ draws each part as it is; the others share the variance between the parts, and
    # kaiming_uniform_ also sees half as many columns in the complex matrix.
    expected = {"normal_": math.sqrt(1 / 2), "uniform_": 1.0, "kaiming_uniform_": 1.0}[name]
    torch.testing.assert_close(ratio, torch.full_like(ratio, expected))


@each_random_name
def test_seed_and_generator_exclude_each_other(
    name: str, shape: tuple[int, ...], arguments: Arguments
) -> None:
    tensor = torch.full(shape, 7.0)
    fill = getattr(init, name)
    with pytest.raises(FaninError, match="seed=0 and generator= exclude each other"):
        fill(tensor, **arguments, generator=torch.Generator(), seed=0, name="w")
    with pytest.raises(FaninError, match=r'seed=0 needs name=.*"layers\.0\.weight"'):
        fill(tensor, **arguments, seed=0)
    with pytest.raises(FaninError, match=r"name='w' chooses a stream of a seed.*add seed=0"):
        fill(tensor, **arguments, name="w")
    with pytest.raises(FaninError, match="seed must lie between"):
        fill(tensor, **arguments, seed=-1, name="w")
    assert (tensor == 7).all()


def test_two_parameters_of_one_shape_are_no_twins() -> None:
    first, second = (init.normal_(torch.empty(5, 5), seed=0, name=name) for name in ("a", "b"))
    assert not torch.equal(first, second)
