"""The predictions against real wide networks: layers of PyTorch, thousands of units, many seeds.

A wide network agrees with the theory up to its sampling error, which is measured: the standard
error of the mean over independent networks. With 24 networks four of them are exceeded by chance
once in 1800; on top comes a bias of the order of the number of layers over the width.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fanin.theory import propagate

torch = pytest.importorskip("torch")
functional = torch.nn.functional

WIDTH, DEPTH, NETWORKS, START = 1000, 6, 24, 0.4
ERRORS = 4.0

CASES: list[tuple[str, Callable[..., Any], float, float]] = [
    ("relu", torch.relu, 2**0.5, 0.0),
    ("tanh", torch.tanh, 1.592537, 0.0),
    ("selu", torch.selu, 1.0, 0.0),
    ("gelu", functional.gelu, 1.53353, 0.0),
    ("silu", functional.silu, 1.62332, 0.24994),
    ("hardtanh", functional.hardtanh, 1.5, 0.2),
]


def generator(seed: int) -> Any:
    return torch.Generator().manual_seed(seed)


def layers(sigma_w: float, sigma_b: float, seed: int, width: int = WIDTH) -> list[Any]:
    source, found = generator(seed), list[Any]()
    for _ in range(DEPTH):
        layer = torch.nn.Linear(width, width)
        torch.nn.init.normal_(layer.weight, 0, sigma_w / width**0.5, generator=source)
        torch.nn.init.normal_(layer.bias, 0, sigma_b, generator=source)
        found.append(layer)
    return found


def pairs(seed: int) -> Any:
    """Two first pre-activations of variance 1 and correlation START, exactly."""
    raw = torch.randn(2, WIDTH, generator=generator(seed), dtype=torch.float64).numpy()
    first = raw[0] / np.sqrt(np.mean(raw[0] ** 2))
    rest = raw[1] - first * np.mean(first * raw[1])
    rest /= np.sqrt(np.mean(rest**2))
    both = np.stack([first, START * first + math.sqrt(1 - START**2) * rest])
    return torch.from_numpy(both).float().requires_grad_()


def run(phi: Callable[..., Any], sigma_w: float, sigma_b: float) -> Any:
    """Logarithms of length and gradient, and correlation, per layer: shape (networks, 3, layer)."""
    networks = list[Any]()
    for seed in range(NETWORKS):
        signals = [pairs(1000 + seed)]
        for layer in layers(sigma_w, sigma_b, seed):
            signals.append(layer(phi(signals[-1])))
        cotangent = torch.randn(signals[-1].shape, generator=generator(2000 + seed))
        slopes = torch.autograd.grad(signals[-1], signals, cotangent)
        with torch.no_grad():
            squares = torch.stack([z.square().mean() for z in signals])
            backward = torch.stack([slope.square().mean() for slope in slopes])
            together = [torch.cosine_similarity(z[0], z[1], dim=0) for z in signals]
        networks.append(torch.stack([squares, backward, torch.stack(together)]).numpy())
    return np.array(networks)


@pytest.mark.parametrize(
    ("name", "phi", "sigma_w", "sigma_b"), CASES, ids=[f"{case[0]}-{case[2]:.3g}" for case in CASES]
)
def test_length_gradient_and_correlation(
    name: str, phi: Callable[..., Any], sigma_w: float, sigma_b: float
) -> None:
    found = run(phi, sigma_w, sigma_b)
    theory = propagate(name, DEPTH, sigma_w, sigma_b, correlation=START)
    predicted = np.array([theory.lengths, theory.gradients, theory.correlations])
    mean = found.mean(axis=0)
    error = found.std(axis=0, ddof=1) / math.sqrt(NETWORKS)
    allowed = ERRORS * error + 2 * DEPTH / WIDTH * np.abs(predicted)
    assert (np.abs(mean - predicted) <= allowed).all(), (mean - predicted) / allowed
    # Sharp enough: a factor per layer that is wrong by 4 % makes 27 % over the layers.
    assert (allowed / np.abs(predicted))[:2].max() < 0.27
    assert allowed[2].max() < 0.08


def test_the_check_would_see_another_gain() -> None:
    found = run(torch.tanh, 1.592537, 0.0)
    wrong = propagate("tanh", DEPTH, 5 / 3)
    error = found.std(axis=0, ddof=1) / math.sqrt(NETWORKS)
    far = np.abs(found.mean(axis=0)[0] - wrong.lengths) / (error[0] + 1e-12)
    assert far[1:].min() > ERRORS
