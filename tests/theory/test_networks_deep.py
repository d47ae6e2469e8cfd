"""What depth, width, norms, branches and mirrors do: predicted, and measured in PyTorch."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fanin.theory import (
    batch_norm_gradient,
    critical_line,
    gain,
    half_stable,
    length_error,
    length_spread,
    mirrored,
    residual_growth,
    stable_gain,
)

torch = pytest.importorskip("torch")
functional = torch.nn.functional


def seeded(seed: int) -> Any:
    return torch.Generator().manual_seed(seed)


def test_spread_of_relu_networks() -> None:
    """E[M^2] / E[M]^2 of 4000 narrow networks against the product of 1 + 5 / n."""
    width, depth, count = 40, 5, 4000
    source = seeded(0)
    h = torch.ones(count, width)
    for _ in range(depth):
        weights = torch.randn(count, width, width, generator=source) * math.sqrt(2 / width)
        h = torch.relu(torch.einsum("cij,cj->ci", weights, h))
    lengths = h.square().mean(dim=1).double().numpy()
    ratio = np.mean(lengths**2) / np.mean(lengths) ** 2
    expected = length_spread("relu", [width] * depth)
    assert expected == pytest.approx(1.125**5)
    # By the delta method: the ratio's error is that of the mean of x^2 - 2 r x, for x of mean 1.
    x = lengths / np.mean(lengths)
    error = np.std(x**2 - 2 * expected * x) / math.sqrt(count)
    assert abs(ratio - expected) < 4 * error
    assert error < 0.1


def test_error_of_one_layer() -> None:
    width, count = 200, 3000
    for name, phi in (("relu", torch.relu), ("tanh", torch.tanh), ("gelu", functional.gelu)):
        z = torch.randn(count, width, generator=seeded(1), dtype=torch.float64)
        lengths = phi(z).square().mean(dim=1)
        spread = float(lengths.std() / lengths.mean())
        # The relative error of a standard deviation from n draws is near 1 / sqrt(2 n).
        assert spread == pytest.approx(length_error(name, width), rel=4 / math.sqrt(2 * count))


@pytest.mark.parametrize(("name", "phi"), [("relu", torch.relu), ("tanh", torch.tanh)])
def test_batch_norm_explodes_backwards(name: str, phi: Callable[..., Any]) -> None:
    width, batch, depth, networks = 1000, 400, 4, 4
    factors = list[float]()
    for seed in range(networks):
        source = seeded(seed)
        signals = [torch.randn(batch, width, generator=source).requires_grad_()]
        for _ in range(depth):
            weights = torch.randn(width, width, generator=source) / width**0.5
            signals.append(
                functional.batch_norm(phi(signals[-1]) @ weights.T, None, None, training=True)
            )
        cotangent = torch.randn(batch, width, generator=source)
        first, last = torch.autograd.grad(signals[-1], [signals[1], signals[-1]], cotangent)
        factors.append(float(first.square().mean() / last.square().mean()) ** (1 / (depth - 1)))
    error = np.std(factors, ddof=1) / math.sqrt(networks)
    # A norm takes two directions of `batch` out of the gradient.
    assert np.mean(factors) == pytest.approx(
        batch_norm_gradient(name), abs=6 * error + 4 * batch_norm_gradient(name) / batch
    )


@pytest.mark.parametrize("normalised", [False, True])
def test_residual_stream(normalised: bool) -> None:
    blocks, width, networks, scale = 12, 1000, 8, 0.5
    found = list[float]()
    for seed in range(networks):
        source = seeded(seed)
        x = torch.randn(4, width, generator=source)
        x = x / x.square().mean().sqrt()
        for _ in range(blocks):
            weights = torch.randn(width, width, generator=source) * math.sqrt(2 / width)
            seen = functional.rms_norm(x, (width,)) if normalised else x
            # With an unbiased relu branch of gain root 2 the branch has the size of what it reads.
            mixed = torch.randn(width, width, generator=source) / math.sqrt(width)
            x = x + scale * torch.relu(seen @ mixed.T) @ weights.T
        found.append(float(x.square().mean()))
    expected = residual_growth(blocks, 1.0, scale, normalised=normalised)
    error = np.std(found, ddof=1) / math.sqrt(networks)
    assert np.mean(found) == pytest.approx(expected, abs=4 * error + 2 * blocks / width * expected)


def deep_lengths(
    phi: Callable[..., Any], start: Any, depth: int, seed: int, width: int = 500
) -> list[float]:
    """Variances of the pre-activations of one deep network that starts at the length it holds."""
    source = seeded(seed)
    z = torch.randn(1, width, generator=source)
    z = z / z.square().mean().sqrt() * start[2] ** 0.5
    lengths = list[float]()
    for _ in range(depth):
        weights = torch.randn(width, width, generator=source) * (start[0] / width**0.5)
        z = phi(z) @ weights.T + start[1] * torch.randn(width, generator=source)
        lengths.append(float(z.square().mean()))
    return lengths


def worst(phi: Callable[..., Any], start: tuple[float, float, float], depth: int) -> float:
    """Median over networks of the largest factor by which the length went astray."""
    runs = [np.array(deep_lengths(phi, start, depth, seed)) for seed in range(5)]
    return float(np.median([np.exp(np.abs(np.log(run / start[2])).max()) for run in runs]))


def test_gelu_drifts_under_its_forward_gain_and_keeps_under_the_stable_one() -> None:
    depth = 60
    chosen = stable_gain("gelu", depth, length_error("gelu", 500))
    assert chosen.bias_std > 0
    stable = worst(functional.gelu, (chosen.gain, chosen.bias_std, chosen.q), depth)
    forward = worst(functional.gelu, (gain("gelu"), 0.0, 1.0), depth)
    assert stable < 4, "the bound that the reach is computed for"
    assert forward > 50
    point = half_stable("gelu")
    assert point is not None
    assert chosen.gain == point.sigma_w


def test_the_forward_gain_holds_as_far_as_its_reach() -> None:
    error = length_error("gelu", 500)
    reach = stable_gain("gelu", 1, error).reach
    assert worst(functional.gelu, (gain("gelu"), 0.0, 1.0), reach) < 4


def test_a_critical_tanh_stack_keeps_its_gradient() -> None:
    point, depth, width = critical_line("tanh", 1.0), 40, 500
    factors = list[float]()
    for seed in range(8):
        source = seeded(seed)
        first = torch.randn(1, width, generator=source).requires_grad_()
        z = first
        for _ in range(depth):
            weights = torch.randn(width, width, generator=source) * (point.sigma_w / width**0.5)
            z = torch.tanh(z) @ weights.T + point.sigma_b * torch.randn(width, generator=source)
        cotangent = torch.randn(1, width, generator=source)
        (slope,) = torch.autograd.grad(z, first, cotangent)
        factors.append(math.log(float(slope.square().sum() / cotangent.square().sum())))
    # With the forward gain it would be 40 ln 1.178 = 6.5.
    error = np.std(factors, ddof=1) / math.sqrt(len(factors))
    assert abs(np.mean(factors)) < 4 * error + depth * 5 / width


@pytest.mark.parametrize(
    ("name", "phi"),
    [
        ("relu", torch.relu),
        ("gelu", functional.gelu),
        ("tanh", torch.tanh),
        ("mish", functional.mish),
    ],
)
def test_mirrored_kernels_compute_the_odd_part(name: str, phi: Callable[..., Any]) -> None:
    """[[Q, -Q], [-Q, Q]] on phi of mirrored pairs is plus and minus Q psi."""
    half = 600
    odd = mirrored(name)
    source = seeded(3)
    block = torch.randn(half, half, generator=source, dtype=torch.float64) * (gain(odd) / half**0.5)
    kernel = torch.cat([torch.cat([block, -block], 1), torch.cat([-block, block], 1)], 0)
    z = torch.randn(half, generator=source, dtype=torch.float64)
    after = kernel @ phi(torch.cat([z, -z]))
    expected = block.numpy() @ odd(z.numpy())
    np.testing.assert_allclose(after[:half].numpy(), expected, atol=1e-9)
    np.testing.assert_allclose(after[half:].numpy(), -expected, atol=1e-9)
    # Relative error of a mean square of n Gaussians: sqrt(2 / n), and that of the psi^2 themselves.
    spread = math.sqrt(2 / half + length_error(odd, half) ** 2)
    assert float(after.square().mean()) == pytest.approx(1, abs=4 * spread)
