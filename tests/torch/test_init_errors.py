"""What torch refuses is refused, with an exception of the same class and a message that helps."""

import math
import warnings
from typing import Any

import pytest
import torch
from torch.nn import init as torch_init

from fanin.errors import FaninError
from fanin.torch import init

NAN, INF = math.nan, math.inf

REFUSED_BY_TORCH: list[tuple[str, Any, tuple[Any, ...], str]] = [
    ("uniform_", torch.zeros(3, 4), (1.0, 0.0), "lower one first, got 1.0 and 0.0"),
    ("uniform_", torch.zeros(3, 4), (NAN, 1.0), "finite bounds"),
    ("uniform_", torch.zeros(3, 4), (0.0, INF), "finite bounds"),
    ("uniform_", torch.zeros(0), (1.0, 0.0), "lower one first"),
    ("uniform_", torch.zeros(3, dtype=torch.int64), (), "torch.int64.*tensor.float"),
    ("normal_", torch.zeros(3, 4), (0.0, -1.0), "must be 0 or more, got -1.0"),
    ("normal_", torch.zeros(3, 4), (0.0, NAN), "must be 0 or more, got nan"),
    ("normal_", torch.zeros(0), (0.0, -1.0), "must be 0 or more"),
    ("normal_", torch.zeros(3, dtype=torch.bool), (), "torch.bool"),
    ("trunc_normal_", torch.zeros(3, 4), (0.0, 1.0, 2.0, 1.0), "a <= b, got .*a=2.0, b=1.0"),
    ("trunc_normal_", torch.zeros(0), (0.0, 1.0, 2.0, 1.0), "a <= b"),
    ("trunc_normal_", torch.zeros(3, dtype=torch.int32), (), "torch.int32"),
    ("trunc_normal_", torch.zeros(3, dtype=torch.complex64), (), "view_as_real"),
    ("eye_", torch.zeros(3), (), r"2 dimensions.*\(3,\)"),
    ("eye_", torch.zeros(3, 3, 3), (), "2 dimensions"),
    ("dirac_", torch.zeros(3, 3), (), "3, 4 or 5"),
    ("dirac_", torch.zeros(1, 1, 1, 1, 1, 1), (), "3, 4 or 5"),
    ("dirac_", torch.zeros(2, 2, 1), (3,), r"divide.*groups=3.*\(2, 2, 1\)"),
    ("dirac_", torch.zeros(2, 2, 1, device="meta"), (3,), "divide"),
    ("xavier_uniform_", torch.zeros(3), (), "bias"),
    ("xavier_normal_", torch.zeros(()), (), "bias"),
    ("xavier_normal_", torch.zeros(0), (), "bias"),
    ("xavier_uniform_", torch.zeros(3, 4), (-1.0,), "lower one first"),
    ("xavier_normal_", torch.zeros(3, 4), (-1.0,), "0 or more"),
    ("xavier_normal_", torch.zeros(3, 4), (NAN,), "0 or more"),
    ("xavier_normal_", torch.zeros(3, 4, dtype=torch.int64), (), "torch.int64"),
    ("kaiming_uniform_", torch.zeros(3), (), "bias"),
    ("kaiming_normal_", torch.zeros(()), (), "bias"),
    ("kaiming_uniform_", torch.zeros(3, 4), (0.0, "fan_avg"), '"fan_in" or "fan_out", got'),
    ("kaiming_normal_", torch.zeros(3, 4), (0.0, "fanin"), 'did you mean "fan_in"'),
    ("kaiming_uniform_", torch.zeros(3, 4), (0.0, "fan_in", "gelu"), "no gain.*gelu"),
    ("kaiming_normal_", torch.zeros(3, 4), (True,), "negative slope"),
    ("kaiming_normal_", torch.zeros(3, 4), (NAN,), "0 or more"),
    ("orthogonal_", torch.zeros(3), (), "2 or more dimensions"),
    ("orthogonal_", torch.zeros(3, 3, dtype=torch.int64), (), "torch.int64"),
    ("sparse_", torch.zeros(3), (0.5,), "2 dimensions"),
    ("sparse_", torch.zeros(3, 3, 3), (0.5,), "2 dimensions"),
    ("sparse_", torch.zeros(3, 3), (0.5, -1.0), "0 or more"),
    ("sparse_", torch.zeros(3, 3, dtype=torch.int64), (0.5,), "torch.int64"),
]

REFUSED_HERE_ONLY: list[tuple[str, Any, tuple[Any, ...], str]] = [
    ("trunc_normal_", torch.zeros(3, 4), (0.0, -1.0), "std of 0 or more.*std=-1.0"),
    ("trunc_normal_", torch.zeros(3, 4), (NAN, 1.0), "finite mean"),
    ("trunc_normal_", torch.zeros(3, 4), (0.0, INF), "finite std"),
    ("trunc_normal_", torch.zeros(3, 4), (0.0, 1.0, NAN, 1.0), "a <= b"),
    ("normal_", torch.zeros(3, dtype=torch.int64, device="meta"), (), "torch.int64"),
    ("dirac_", torch.zeros(2, 2, 1), (0,), "groups=0"),
    ("dirac_", torch.zeros(2, 2, 1), (-1,), "groups=-1"),
    ("sparse_", torch.zeros(3, 3), (-0.5,), "from 0 to 1, got -0.5"),
    ("sparse_", torch.zeros(3, 3), (1.5,), "from 0 to 1, got 1.5"),
    ("sparse_", torch.zeros(3, 3), (NAN,), "from 0 to 1, got nan"),
]


@pytest.mark.parametrize(("name", "tensor", "arguments", "message"), REFUSED_BY_TORCH)
@pytest.mark.parametrize("keyed", [False, True])
def test_what_torch_refuses(
    name: str, tensor: torch.Tensor, arguments: tuple[Any, ...], message: str, keyed: bool
) -> None:
    with pytest.raises((ValueError, RuntimeError)) as theirs:
        getattr(torch_init, name)(tensor.clone(), *arguments)
    given = tensor.clone()
    key = {"seed": 0, "name": "w"} if keyed and name not in ("eye_", "dirac_") else {}
    with pytest.raises(FaninError, match=message) as ours:
        getattr(init, name)(given, *arguments, **key)
    assert issubclass(ours.type, theirs.type)
    assert tensor.is_meta or torch.equal(given, tensor)


@pytest.mark.parametrize(("name", "tensor", "arguments", "message"), REFUSED_HERE_ONLY)
def test_what_torch_lets_pass_and_gets_wrong(
    name: str, tensor: torch.Tensor, arguments: tuple[Any, ...], message: str
) -> None:
    given = tensor.clone()
    with pytest.raises(FaninError, match=message):
        getattr(init, name)(given, *arguments)
    assert tensor.is_meta or torch.equal(given, tensor)


@pytest.mark.parametrize(
    "name", ["kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "xavier_normal_"]
)
@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (3, 0), (3, 5, 0)])
def test_a_weight_without_elements_warns(name: str, shape: tuple[int, ...]) -> None:
    tensor = torch.empty(shape)
    with pytest.warns(UserWarning, match="^Initializing zero-element tensors is a no-op$"):
        assert getattr(init, name)(tensor) is tensor


@pytest.mark.parametrize(
    ("name", "shape", "arguments"),
    [
        ("uniform_", (0,), {}),
        ("normal_", (0, 3), {"seed": 0, "name": "w"}),
        ("trunc_normal_", (0,), {}),
        ("trunc_normal_", (0,), {"a": 1.0, "seed": 0, "name": "w"}),
        ("orthogonal_", (0, 3), {}),
        ("orthogonal_", (3, 0), {"seed": 0, "name": "w"}),
        ("sparse_", (0, 3), {"sparsity": 0.5}),
        ("sparse_", (0, 0), {"sparsity": 0.5, "seed": 0, "name": "w"}),
        ("dirac_", (0, 3, 1), {}),
        ("dirac_", (2, 2, 0), {}),
        ("ones_", (0,), {}),
    ],
)
def test_the_others_leave_an_empty_tensor_in_silence(
    name: str, shape: tuple[int, ...], arguments: dict[str, Any]
) -> None:
    tensor = torch.empty(shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert getattr(init, name)(tensor, **arguments) is tensor


def test_a_far_mean_warns_as_in_torch() -> None:
    with pytest.warns(UserWarning, match=r"mean=10.* more than 2 std from \[a, b\]"):
        init.trunc_normal_(torch.empty(3), mean=10.0)
    with pytest.warns(UserWarning, match="mean is more than 2 std"):
        torch_init.trunc_normal_(torch.empty(3), mean=10.0)


@pytest.mark.parametrize("mode", ["FAN_IN", "Fan_Out"])
def test_the_mode_may_be_in_capitals_as_in_torch(mode: str) -> None:
    expected = init.kaiming_normal_(torch.empty(3, 4), mode=mode.lower(), seed=0, name="w")
    assert torch.equal(
        init.kaiming_normal_(torch.empty(3, 4), mode=mode, seed=0, name="w"), expected
    )
