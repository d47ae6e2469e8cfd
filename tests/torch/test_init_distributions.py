"""The values follow the distributions they are said to, judged by closed forms and by SciPy.

Moments are held to five sigmas of their sampling error: for n values with standard deviation s and
kurtosis k, the mean spreads by s / sqrt(n) and the standard deviation by s * sqrt((k - 1) / (4 n)),
at most s / sqrt(2 n) for the normal and for whatever has lighter tails. Five sigmas are passed by
chance once in 1.7 million times, and the seeds are fixed. Kolmogorov-Smirnov has to give p > 1e-4.
"""

import math
from typing import Any

import pytest
import torch
from scipy import stats

from fanin.torch import init
from init_cases import Arguments

FAN_IN, FAN_OUT, COUNT = 36 * 9, 40 * 9, 40 * 36 * 9
SHAPE = (40, 36, 3, 3)


def uniform_of(std: float) -> Any:
    return stats.uniform(-math.sqrt(3) * std, 2 * math.sqrt(3) * std)


def truncated(mean: float, std: float, low: float, high: float) -> Any:
    return stats.truncnorm((low - mean) / std, (high - mean) / std, mean, std)


CASES: list[tuple[str, Arguments, Any]] = [
    ("uniform_", {}, stats.uniform(0, 1)),
    ("uniform_", {"a": -3.0, "b": -1.0}, stats.uniform(-3, 2)),
    ("normal_", {}, stats.norm(0, 1)),
    ("normal_", {"mean": -2.0, "std": 0.1}, stats.norm(-2, 0.1)),
    ("trunc_normal_", {}, truncated(0, 1, -2, 2)),
    ("trunc_normal_", {"std": 0.02}, stats.norm(0, 0.02)),
    (
        "trunc_normal_",
        {"mean": 0.3, "std": 0.5, "a": -0.1, "b": 1.2},
        truncated(0.3, 0.5, -0.1, 1.2),
    ),
    ("trunc_normal_", {"std": 4.0, "a": -1.0, "b": 0.5}, truncated(0, 4, -1, 0.5)),
    ("trunc_normal_", {"a": -0.05, "b": 0.05}, truncated(0, 1, -0.05, 0.05)),
    ("trunc_normal_", {"a": 1.5, "b": 2.5}, truncated(0, 1, 1.5, 2.5)),
    ("trunc_normal_", {"a": -math.inf, "b": 0.0}, truncated(0, 1, -math.inf, 0)),
    ("xavier_uniform_", {"gain": 2.0}, uniform_of(2 * math.sqrt(2 / (FAN_IN + FAN_OUT)))),
    ("xavier_normal_", {"gain": 2.0}, stats.norm(0, 2 * math.sqrt(2 / (FAN_IN + FAN_OUT)))),
    ("kaiming_uniform_", {"a": 1.0}, uniform_of(math.sqrt(1 / FAN_IN))),
    ("kaiming_uniform_", {"mode": "fan_out"}, uniform_of(math.sqrt(2 / FAN_OUT))),
    ("kaiming_normal_", {"nonlinearity": "linear"}, stats.norm(0, math.sqrt(1 / FAN_IN))),
    ("kaiming_normal_", {"mode": "fan_out"}, stats.norm(0, math.sqrt(2 / FAN_OUT))),
]

each_case = pytest.mark.parametrize(
    ("name", "arguments", "law"),
    [pytest.param(*case, id=f"{case[0]}{number}") for number, case in enumerate(CASES)],
)


@each_case
@pytest.mark.parametrize("key", [{}, {"seed": 11, "name": "w"}])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_distribution(
    name: str, arguments: Arguments, law: Any, key: Arguments, dtype: torch.dtype
) -> None:
    torch.manual_seed(11)
    values = getattr(init, name)(torch.empty(SHAPE, dtype=dtype), **arguments, **key)
    sample = values.double().flatten().numpy()
    std = law.std()
    assert abs(sample.mean() - law.mean()) < 5 * std / math.sqrt(COUNT)
    assert abs(sample.std() - std) < 5 * std / math.sqrt(2 * COUNT)
    assert stats.kstest(sample, law.cdf).pvalue > 1e-4


@pytest.mark.parametrize(
    ("arguments", "law"),
    [(case[1], case[2]) for case in CASES if case[0] == "trunc_normal_"],
)
@pytest.mark.parametrize("key", [{}, {"seed": 5, "name": "w"}])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_truncated_in_half_precision(
    arguments: Arguments, law: Any, key: Arguments, dtype: torch.dtype
) -> None:
    """Rounding adds at most half a unit in the last place, 2^-9 of the value for bfloat16."""
    torch.manual_seed(5)
    values = init.trunc_normal_(torch.empty(COUNT, dtype=dtype), **arguments, **key).double()
    largest = values.abs().max().item()
    assert abs(values.mean().item() - law.mean()) < 5 * law.std() / math.sqrt(COUNT) + largest / 512
    spread = 5 * law.std() / math.sqrt(2 * COUNT)
    assert abs(values.std().item() - law.std()) < spread + largest / 512
    low, high = torch.tensor([arguments.get("a", -2.0), arguments.get("b", 2.0)]).to(dtype).tolist()
    assert values.min() >= low
    assert values.max() <= high


@pytest.mark.parametrize("shape", [(30, 30), (12, 50), (50, 12), (20, 5, 3, 2), (4, 2, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("key", [{}, {"seed": 1, "name": "w"}])
def test_orthogonal_in_every_precision(
    shape: tuple[int, ...], dtype: torch.dtype, key: Arguments
) -> None:
    """Rounding each entry of a unit row by eps relative moves an inner product by 2 eps at most."""
    torch.manual_seed(0)
    weight = init.orthogonal_(torch.empty(shape, dtype=dtype), 1.5, **key).double().flatten(1)
    small = weight @ weight.T if weight.shape[0] <= weight.shape[1] else weight.T @ weight
    error = (small / 1.5**2 - torch.eye(len(small), dtype=torch.float64)).abs().max().item()
    assert error < max(2 * torch.finfo(dtype).eps, 2e-6 if dtype != torch.float64 else 1e-14)


@pytest.mark.parametrize("key", [False, True])
def test_orthogonal_matrices_are_uniform(key: bool) -> None:
    """Under the Haar measure an entry of a 3 x 3 orthogonal matrix is uniform on [-1, 1].

    (A point on the sphere has uniform coordinates: Archimedes.) 800 matrices, their first entry;
    QR without the correction of signs gives first columns of one sign only.
    """
    torch.manual_seed(0)
    origin: list[Arguments] = [
        {"seed": 0, "name": f"{number}"} if key else {} for number in range(800)
    ]
    corners = [init.orthogonal_(torch.empty(3, 3), **given)[0, 0].item() for given in origin]
    assert stats.kstest(corners, stats.uniform(-1, 2).cdf).pvalue > 1e-4


@pytest.mark.parametrize("sparsity", [0.0, 0.25, 0.9, 1.0])
@pytest.mark.parametrize("key", [{}, {"seed": 2, "name": "w"}])
def test_sparse(sparsity: float, key: Arguments) -> None:
    torch.manual_seed(2)
    weight = init.sparse_(torch.empty(50, 400), sparsity, 0.5, **key)
    zeros = math.ceil(sparsity * 50)
    assert ((weight == 0).sum(dim=0) == zeros).all()
    if zeros < 50:
        rest = weight[weight != 0].double().numpy()
        assert stats.kstest(rest, stats.norm(0, 0.5).cdf).pvalue > 1e-4
    # Every row is hit in its turn: a binomial count with a variance of 400 p (1 - p).
    share = zeros / 50
    hits = (weight == 0).sum(dim=1) - 400 * share
    assert hits.abs().max().item() <= 5 * math.sqrt(400 * share * (1 - share))
