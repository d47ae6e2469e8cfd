"""What holds of the values of every scheme: promised moments, regions, types, names."""

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fanin.errors import FaninError
from fanin.schemes import Fans, Layout, MatrixScheme, Scheme, find, names, parse
from scheme_cases import TENSORS

SPECIAL = {"forget_gate", "chrono", "blocks", "listed", "keep"}
"""Not for any tensor: tests of their own hold them to what they are for."""

WRITTEN = [
    *(name for name in names() if name not in {"constant", "dirac", *SPECIAL}),
    "constant(-0.3)",
    "uniform(0, 1)",
    "normal(0.5, 2)",
    "truncated_normal(1, cut=0.5)",
    "truncated_normal(0.1, cut=4)",
    "variance_scaling(2, fan_out, normal)",
    "variance_scaling(0.5, fan_geo_avg, uniform)",
    "he_normal(gain=tanh)",
    "glorot_uniform(gain=2)",
    "orthogonal(gain=-2)",
    "delta_orthogonal(gain=tanh)",
    "looks_linear(mirror=outputs)",
    "looks_linear(gain=2, mirror=inputs)",
    "sparse(0.3, std=1)",
    "eye(gain=0.5)",
    "dirac",
    "dirac(groups=4)",
    "identity_plus_noise(std=0.2, gain=-1)",
    "hadamard(gain=relu)",
]
EXACT = {"eye", "dirac", "hadamard", "constant", "zeros", "ones"}
FIXED_LENGTH = {
    "orthogonal",
    "scaled_orthogonal",
    "delta_orthogonal",
    "looks_linear",
    "mirrored",
    "centred_orthogonal",
}
"""Random matrices whose sum of squares is not random."""


def values(scheme: Scheme, tensor: str, **options: Any) -> NDArray[Any]:
    layout, shape = TENSORS[tensor]
    return scheme.values(shape, seed=5, name="layer.weight", layout=layout, **options)


def refused(scheme: Scheme, tensor: str) -> bool:
    """Whether a scheme must refuse a tensor, worked out apart from the schemes."""
    layout, shape = TENSORS[tensor]
    _, outputs, inputs, _ = layout.stack(shape)
    groups = getattr(scheme, "groups", 1)
    mirror = getattr(scheme, "mirror", None)
    odd = (mirror != "inputs" and outputs % 2 == 1) or (mirror != "outputs" and inputs % 2 == 1)
    return {
        "eye": bool(layout.kernel_axes),
        "delta_orthogonal": bool(layout.kernel_axes) and outputs < inputs,
        "looks_linear": odd,
        "mirrored": odd,
        "centred_orthogonal": inputs < 2 or outputs < 2,
        "dirac": groups > 1
        and groups != layout.groups
        and (layout.groups > 1 or outputs % groups > 0),
    }.get(scheme.name(), False)


@pytest.mark.parametrize("tensor", TENSORS)
@pytest.mark.parametrize("written", WRITTEN)
def test_promises_are_kept(written: str, tensor: str) -> None:
    scheme = parse(written)
    layout, shape = TENSORS[tensor]
    if refused(scheme, tensor):
        with pytest.raises(FaninError, match="cannot fill a tensor of shape"):
            values(scheme, tensor)
        with pytest.raises(FaninError, match="cannot fill a tensor of shape"):
            scheme.promised(shape=shape, layout=layout)
        return
    drawn = values(scheme, tensor).astype(np.float64)
    promised = scheme.promised(shape=shape, layout=layout)
    rms = math.sqrt((drawn**2).mean())
    # A mean of n draws is off by std / sqrt(n); a standard deviation by a share of
    # sqrt((kurtosis - 1) / 4n). The kurtosis is 3 for a normal, less for a uniform and a truncated
    # one, and 3 / kept where only a share is not zero. Elements of a random orthogonal matrix are
    # uncorrelated, so their mean is off as much; mirrored ones add up to nothing.
    kept = 1 - getattr(scheme, "sparsity", 0.0)
    slack = 5 * math.sqrt((3 / kept - 1) / (4 * drawn.size))
    name = scheme.name()
    if name in EXACT:
        assert drawn.mean() == pytest.approx(promised.mean, rel=1e-6, abs=1e-9)
        assert drawn.std() == pytest.approx(promised.std, rel=1e-6, abs=1e-9)
    else:
        assert abs(drawn.mean() - promised.mean) <= 5 * promised.std / math.sqrt(drawn.size)
        precision = 1e-6 if name in FIXED_LENGTH else slack
        assert rms == pytest.approx(promised.rms, rel=precision)
        assert drawn.std() == pytest.approx(promised.std, rel=slack)


def test_promises_without_a_tensor() -> None:
    fans = Fans(96, 64)
    for written in WRITTEN:
        scheme = parse(written)
        expected = scheme.promised(shape=(64, 96), layout=Layout.linear())
        assert scheme.promised(fans) == expected, written
    with pytest.raises(FaninError, match=r"pass shape= and layout=, got fans=None"):
        find("orthogonal")().promised()
    with pytest.raises(FaninError, match="scales with the fans of the layer"):
        find("he_normal")().promised()


@pytest.mark.parametrize("written", WRITTEN)
@settings(max_examples=8)
@given(data=st.data())
def test_a_region_is_that_part_of_the_whole(written: str, data: st.DataObject) -> None:
    scheme = parse(written)
    fitting = [tensor for tensor in TENSORS if not refused(scheme, tensor)]
    tensor = data.draw(st.sampled_from(fitting))
    region = tuple(
        data.draw(st.slices(size).filter(lambda part: part.step is None or part.step > 0))
        for size in TENSORS[tensor][1]
    )
    whole = values(scheme, tensor)
    part = values(scheme, tensor, region=region)
    np.testing.assert_array_equal(part, whole[region])
    assert part.flags.c_contiguous


@pytest.mark.parametrize("written", WRITTEN)
def test_other_types_are_cast_last(written: str) -> None:
    scheme = parse(written)
    tensor = next(tensor for tensor in reversed(TENSORS) if not refused(scheme, tensor))
    single = values(scheme, tensor)
    assert single.dtype == np.float32
    for kind in (np.float16, ml_dtypes.bfloat16):
        np.testing.assert_array_equal(values(scheme, tensor, dtype=kind), single.astype(kind))
    double = values(scheme, tensor, dtype=np.float64)
    np.testing.assert_array_equal(double.astype(np.float32), single)
    if not isinstance(scheme, MatrixScheme) and scheme.name() != "constant":
        np.testing.assert_array_equal(double, single.astype(np.float64))
    with pytest.raises(FaninError, match="dtype must be a floating-point type, got int64"):
        values(scheme, tensor, dtype=np.int64)


@pytest.mark.parametrize("written", WRITTEN)
def test_values_follow_seed_and_name_alone(written: str) -> None:
    scheme = parse(written)
    layout = Layout.linear()

    def draw(seed: int, name: str) -> NDArray[Any]:
        return scheme.values((64, 48), seed=seed, name=name, layout=layout)

    first = draw(1, "a")
    np.testing.assert_array_equal(first, draw(1, "a"))
    random = scheme.name() not in EXACT
    assert (first != draw(2, "a")).any() == random
    assert (first != draw(1, "b")).any() == random


@pytest.mark.parametrize("written", WRITTEN)
def test_a_tensor_without_elements_stays_empty(written: str) -> None:
    scheme = parse(written)
    empty = scheme.values((0, 8), seed=0, name="w", layout=Layout.linear(), dtype=np.float64)
    assert empty.shape == (0, 8)
    assert empty.dtype == np.float64
    assert scheme.values((8, 0), seed=0, name="w", region=(slice(2),)).shape == (2, 0)
    assert scheme.promised(shape=(8, 0)).std == 0


@pytest.mark.parametrize("shape", [(), (10,)])
def test_vectors_and_numbers(shape: tuple[int, ...]) -> None:
    for name in set(names()) - SPECIAL:
        scheme = parse("constant(1)") if name == "constant" else find(name)()
        if name in {"zeros", "ones", "constant", "uniform", "normal", "truncated_normal"}:
            assert scheme.values(shape, seed=0, name="bias").shape == shape
            continue
        for layout in (None, Layout.vector()):
            with pytest.raises(FaninError, match=f"{name}.* cannot fill a tensor of shape"):
                scheme.values(shape, seed=0, name="bias", layout=layout)


def test_fans_of_the_layer_serve_its_bias() -> None:
    bias = find("torch_default")().values((1000,), seed=0, name="bias", fans=Fans(25, 1000))
    assert 0.19 < np.abs(bias).max() <= 0.2


def test_a_shape_alone_does_not_tell_the_fans() -> None:
    with pytest.raises(FaninError, match=r"he_normal cannot .* \(3, 4\): .* Pass layout="):
        find("he_normal")().values((3, 4), seed=0, name="w")
    with pytest.raises(
        FaninError, match=r"orthogonal cannot .* pass layout=, such as Layout\.conv"
    ):
        find("orthogonal")().values((3, 4, 3), seed=0, name="w")
