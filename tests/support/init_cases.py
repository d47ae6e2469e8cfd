"""The random functions of `torch.nn.init`, each with shapes and arguments worth trying."""

from typing import Any

import pytest

Arguments = dict[str, Any]

RANDOM: list[tuple[str, tuple[int, ...], Arguments]] = [
    ("uniform_", (7, 5), {}),
    ("uniform_", (40, 30), {"a": -0.3, "b": 0.7}),
    ("normal_", (7,), {}),
    ("normal_", (40, 30), {"mean": 0.5, "std": 0.02}),
    ("trunc_normal_", (40, 30), {}),
    ("trunc_normal_", (40, 30), {"std": 0.02}),
    ("trunc_normal_", (40, 30), {"mean": 1.0, "std": 1.5, "a": -1.0, "b": 2.0}),
    ("trunc_normal_", (40, 30), {"std": 5.0, "a": -1.0, "b": 1.0}),
    ("trunc_normal_", (40, 30), {"a": 1.0, "b": 3.0}),
    ("xavier_uniform_", (40, 30), {}),
    ("xavier_uniform_", (8, 4, 3, 3), {"gain": 1.7}),
    ("xavier_normal_", (40, 30), {"gain": 0.5}),
    ("xavier_normal_", (8, 4, 3), {}),
    ("kaiming_uniform_", (40, 30), {}),
    ("kaiming_uniform_", (8, 4, 3, 3), {"a": 5**0.5}),
    ("kaiming_normal_", (40, 30), {"mode": "fan_out", "nonlinearity": "relu"}),
    ("kaiming_normal_", (8, 4, 3, 3), {"a": 0.2, "nonlinearity": "leaky_relu"}),
    ("orthogonal_", (30, 40), {}),
    ("orthogonal_", (40, 30), {"gain": -2.0}),
    ("orthogonal_", (8, 4, 3, 3), {"gain": 0.5}),
    ("sparse_", (40, 30), {"sparsity": 0.3}),
    ("sparse_", (33, 7), {"sparsity": 0.9, "std": 2.0}),
]
"""Name, shape and arguments."""

each_random = pytest.mark.parametrize(
    ("name", "shape", "arguments"),
    [pytest.param(*case, id=f"{case[0]}{number}") for number, case in enumerate(RANDOM)],
)

each_random_name = pytest.mark.parametrize(
    ("name", "shape", "arguments"),
    [
        pytest.param(*next(case for case in RANDOM if case[0] == name), id=name)
        for name in dict.fromkeys(name for name, _, _ in RANDOM)
    ],
)
