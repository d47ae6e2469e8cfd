"""Variance scaling against PyTorch's and Keras's own initialisers, and the named activations."""

import math
from typing import Any

import numpy as np
import pytest

from fanin.draws import Normal, TruncatedNormal, Uniform
from fanin.errors import FaninError
from fanin.schemes import (
    ElementwiseScheme,
    Fans,
    Layout,
    glorot_normal,
    he_normal,
    he_uniform,
    lecun_normal,
    lecun_truncated_normal,
    parse,
    variance_scaling,
)

FANS = Fans(120, 45)


def law(written: str) -> Any:
    scheme = parse(written)
    assert isinstance(scheme, ElementwiseScheme)
    return scheme.law(FANS)


@pytest.mark.parametrize(
    ("written", "variance"),
    [
        ("lecun_normal", 1 / 120),
        ("lecun_uniform(gain=3)", 9 / 120),
        ("he_truncated_normal", 2 / 120),
        ("he_normal(gain=leaky_relu(0.2))", 2 / 1.04 / 120),
        ("he_uniform(gain=2)", 4 / 120),
        ("glorot_normal", 2 / 165),
        ("glorot_uniform(gain=relu)", 4 / 165),
        ("variance_scaling(3)", 3 / 120),
        ("variance_scaling(3, fan_out, uniform)", 3 / 45),
        ("variance_scaling(3, fan_avg, normal)", 6 / 165),
        ("variance_scaling(3, fan_geo_avg, normal)", 3 / math.sqrt(120 * 45)),
        ("torch_default", 1 / 360),
        ("keras_default", 2 / 165),
        ("jax_default", 1 / 120),
    ],
)
def test_variances(written: str, variance: float) -> None:
    assert law(written).std ** 2 == pytest.approx(variance, rel=1e-12)
    assert law(written).mean == 0


@pytest.mark.parametrize("rule", ["lecun", "glorot", "he"])
def test_kinds_of_distribution(rule: str) -> None:
    assert isinstance(law(f"{rule}_normal"), Normal)
    assert isinstance(law(f"{rule}_uniform"), Uniform)
    truncated = law(f"{rule}_truncated_normal")
    assert isinstance(truncated, TruncatedNormal)
    assert truncated.cut == 2


def test_named_rules_are_special_cases() -> None:
    assert he_normal().law(FANS) == variance_scaling(2, "fan_in", "normal").law(FANS)
    assert glorot_normal().law(FANS) == variance_scaling(1, "fan_avg", "normal").law(FANS)
    assert lecun_truncated_normal().law(FANS) == variance_scaling().law(FANS)
    assert he_normal(gain=1).law(FANS) == lecun_normal().law(FANS)


def test_explicit_fans_win_over_the_layout() -> None:
    explicit = lecun_normal().promised(Fans(4, 4), shape=(10, 64), layout=Layout.linear())
    assert explicit.std == 0.5


def test_no_inputs_no_scale() -> None:
    with pytest.raises(FaninError, match="he_normal divides by fan_in, which is 0"):
        he_normal().law(Fans(0, 3))


@pytest.mark.parametrize(
    ("written", "theirs", "options"),
    [
        ("he_uniform", "kaiming_uniform_", {"nonlinearity": "relu"}),
        ("he_uniform(gain=leaky_relu(0.3))", "kaiming_uniform_", {"a": 0.3}),
        ("xavier_uniform", "xavier_uniform_", {}),
        ("xavier_uniform(gain=1.5)", "xavier_uniform_", {"gain": 1.5}),
        ("variance_scaling(2, fan_out, uniform)", "kaiming_uniform_", {"mode": "fan_out"}),
        ("torch_default", "kaiming_uniform_", {"a": math.sqrt(5)}),
    ],
)
def test_bounds_are_pytorch_s(written: str, theirs: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    if options.get("mode") == "fan_out":
        options = {**options, "nonlinearity": "relu"}
    shape = (40, 30, 3, 3)
    tensor = torch.empty(shape)
    generator = torch.Generator().manual_seed(1)
    getattr(torch.nn.init, theirs)(tensor, **options, generator=generator)
    bound = parse(written).promised(shape=shape, layout=Layout.conv(2)).std * math.sqrt(3)
    # The largest of n draws is below the bound by a share of 1 / n on average; 20 / n is 1 in e^20.
    largest = tensor.abs().max().item()
    assert bound * (1 - 20 / tensor.numel()) < largest <= bound * (1 + 1e-6)


@pytest.mark.parametrize("layer", ["Linear", "Conv2d"])
def test_torch_default_is_what_layers_start_with(layer: str) -> None:
    torch = pytest.importorskip("torch")
    module = {
        "Linear": lambda: torch.nn.Linear(64, 80),
        "Conv2d": lambda: torch.nn.Conv2d(12, 24, 3, groups=2),
    }[layer]()
    layout = {"Linear": Layout.linear(), "Conv2d": Layout.conv(2, groups=2)}[layer]
    weight = module.weight.detach().numpy()
    scheme = parse("torch_default")
    promised = scheme.promised(shape=weight.shape, layout=layout)
    bound = promised.std * math.sqrt(3)
    assert bound * (1 - 20 / weight.size) < np.abs(weight).max() <= bound * (1 + 1e-6)
    bias = module.bias.detach().numpy()
    bias_bound = scheme.promised(layout.fans(weight.shape)).std * math.sqrt(3)
    assert bias_bound * (1 - 20 / bias.size) < np.abs(bias).max() <= bias_bound * (1 + 1e-6)


@pytest.mark.parametrize(
    ("written", "theirs"),
    [
        ("jax_default", "LecunNormal"),  # Flax's default is this rule too
        ("keras_default", "GlorotUniform"),
        ("lecun_uniform", "LecunUniform"),
        ("glorot_truncated_normal", "GlorotNormal"),
        ("he_truncated_normal", "HeNormal"),
        ("he_uniform", "HeUniform"),
        ("uniform", "RandomUniform"),
        ("normal", "RandomNormal"),
    ],
)
def test_spread_is_keras_s(written: str, theirs: str) -> None:
    keras = pytest.importorskip("keras")
    shape = (3, 3, 40, 90)  # Keras stores (kernel, in, out)
    layout = Layout((2,), (3,), kernel_axes=(0, 1))
    drawn = np.asarray(getattr(keras.initializers, theirs)(seed=2)(shape).cpu())
    promised = parse(written).promised(shape=shape, layout=layout)
    # A standard deviation of n draws is off by a share of sqrt(2 / 4n) at most (kurtosis <= 3).
    assert drawn.std() == pytest.approx(promised.std, rel=5 * math.sqrt(1 / (2 * drawn.size)))
    if written != "normal":
        ours = parse(written).values(shape, seed=0, name="w", layout=layout)
        assert np.abs(drawn).max() == pytest.approx(np.abs(ours).max(), rel=2e-3)


def test_keras_layers_start_with_keras_default() -> None:
    keras = pytest.importorskip("keras")
    default = keras.layers.Dense(4).kernel_initializer
    assert isinstance(default, keras.initializers.GlorotUniform)


def test_he_keeps_the_size_of_a_deep_relu_network() -> None:
    # Per layer of width n the squared length has relative variance 5/n (Hanin and Rolnick 2018);
    # after L layers, averaged over B nearly independent networks, sqrt(5 L / (n B)).
    width, depth, networks = 256, 10, 20
    sizes = list[float]()
    for network in range(networks):
        signal = np.random.default_rng(network).normal(size=width)
        for layer in range(depth):
            weight = he_normal().values(
                (width, width), seed=network, name=f"layers.{layer}.weight", layout=Layout.linear()
            )
            signal = weight @ (signal if layer == 0 else np.maximum(signal, 0))
        sizes.append(float((signal**2).mean()))
    # The first layer has no relu before it and doubles the size.
    assert np.mean(sizes) == pytest.approx(2, rel=5 * math.sqrt(5 * depth / (width * networks)))


def test_uniform_rules_draw_up_to_the_bound() -> None:
    drawn = he_uniform().values((200, 150), seed=0, name="w", layout=Layout.linear())
    assert 0.199 < np.abs(drawn).max() <= 0.2
