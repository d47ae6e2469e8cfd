"""FI305, FI307 and FI311: what the person asked for, and what the tensor holds."""

import math

import pytest
import torch
from torch import nn

from fanin.births import Birth, Births, Snapshot, Write
from fanin.checks.families.scale.asked import asked
from scale_cases import codes, evidence_of, findings, found, written

NOW = Snapshot(0.0, 1.0, -1.0, 1.0, 0.0, "")


def request(function: str, arguments: str, shape: tuple[int, ...] = (64, 32)):
    count = math.prod(shape)
    write = Write(0, function, arguments, (), "init", (), count, count, None, NOW)
    return asked(Births((Birth("w", shape, "float32", False, writes=(write,)),)), "w")


CALLS = {
    "normal_": ("mean=0.0, std=0.3", {"mean": 0.0, "std": 0.3}),
    "uniform_": ("-0.5, 0.25", {"a": -0.5, "b": 0.25}),
    "xavier_normal_": ("gain=2.0", {"gain": 2.0}),
    "xavier_uniform_": ("", {}),
    "kaiming_normal_": (
        "mode='fan_out', nonlinearity='relu'",
        {"mode": "fan_out", "nonlinearity": "relu"},
    ),
    "kaiming_uniform_": ("a=2.23606797749979", {"a": 5**0.5}),
    "trunc_normal_": ("std=0.5, a=-0.6, b=0.6", {"std": 0.5, "a": -0.6, "b": 0.6}),
}


def test_a_method_of_a_tensor_is_read_as_the_recorder_writes_it():
    scheme = request("uniform_", "from=-0.25, to=0.25").scheme
    assert (scheme.low, scheme.high) == (-0.25, 0.25)


@pytest.mark.parametrize("name", list(CALLS))
def test_a_call_read_back_promises_what_torch_draws(name: str):
    text, arguments = CALLS[name]
    shape = (400, 300)
    torch.manual_seed(0)
    weight = torch.empty(shape)
    getattr(nn.init, name)(weight, **arguments)
    promised = request(f"nn.init.{name}", text, shape).scheme.promised()
    # The standard error of both moments is below 0.25 percent of the spread.
    assert promised.std == pytest.approx(weight.std().item(), rel=0.01)
    assert promised.mean == pytest.approx(weight.mean().item(), abs=0.01 * promised.std)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("nn.init.normal_", "std=scale"),
        ("nn.init.normal_", "0, 1, 2, 3, 4"),
        ("nn.init.normal_", "std="),
        ("copy_", "other"),
        ("nn.init.kaiming_normal_", "nonlinearity='selu'"),
    ],
)
def test_what_cannot_be_read_promises_nothing(function: str, arguments: str):
    read = request(function, arguments)
    assert read is None or read.scheme is None


def test_a_later_or_partial_write_ends_the_request():
    write = Write(0, "nn.init.normal_", "", (), "init", (), 8, 8, None, NOW)
    part = Write(1, "zero_", "", (), "init", (), 2, 8, None, NOW)
    birth = Birth("w", (8,), "float32", False, writes=(write, part))
    assert asked(Births((birth,)), "w") is None
    assert asked(None, "w") is None


def requested(init, function: str, arguments: str):
    torch.manual_seed(0)
    model = nn.Linear(128, 128, bias=False)
    init(model.weight)
    return found(written(evidence_of(model), "weight", function, arguments))


def test_bounds_at_the_variance_leave_next_to_nothing():
    (one,) = requested(
        lambda w: nn.init.trunc_normal_(w, std=0.02, a=-0.0008, b=0.0008),
        "nn.init.trunc_normal_",
        "std=0.02, a=-0.0008, b=0.0008",
    )
    assert (one.code, one.severity) == ("FI305", "warning")
    # Nearly flat: 0.0008 / sqrt(3) of 0.02.
    assert float(one.facts["ratio"]) == pytest.approx(0.0231, rel=0.03)
    assert one.location is not None


def test_a_uniform_where_a_truncated_normal_was_asked():
    (one,) = requested(
        lambda w: w.data.uniform_(-2 * math.sqrt(0.5) * 0.02, 2 * math.sqrt(0.5) * 0.02),
        "nn.init.trunc_normal_",
        "std=0.02",
    )
    assert one.code == "FI305"


def test_a_constant_where_a_normal_was_asked():
    findings_of = requested(lambda w: nn.init.constant_(w, 0.02), "nn.init.normal_", "std=0.02")
    assert codes(findings_of) == {"FI305"}


def test_a_slope_used_as_a_scale():
    slope = 5**0.5 * 3
    (one,) = requested(
        lambda w: nn.init.kaiming_uniform_(w, a=slope), "nn.init.kaiming_uniform_", f"a={slope!r}"
    )
    assert (one.code, one.title) == ("FI305", "a slope used as a scale")


CALLED = {
    "default": (
        lambda w: nn.init.kaiming_uniform_(w, a=5**0.5),
        "nn.init.kaiming_uniform_",
        f"a={5**0.5!r}",
    ),
    "timm": (
        lambda w: nn.init.trunc_normal_(w, std=0.02),
        "nn.init.trunc_normal_",
        "std=0.02, a=-2.0, b=2.0",
    ),
    "cut at 2": (
        lambda w: nn.init.trunc_normal_(w, std=0.02, a=-0.04, b=0.04),
        "nn.init.trunc_normal_",
        "std=0.02, a=-0.04, b=0.04",
    ),
    "orthogonal": (nn.init.orthogonal_, "nn.init.orthogonal_", ""),
    "retina": (lambda w: nn.init.kaiming_uniform_(w, a=1), "nn.init.kaiming_uniform_", "a=1"),
    "zeros": (nn.init.zeros_, "nn.init.constant_", "0.0"),
}


@pytest.mark.parametrize("kind", list(CALLED))
def test_what_was_asked_and_is_there_is_silent(kind: str):
    assert not requested(*CALLED[kind])


def test_orthogonal_lost_in_low_precision():
    def rough(weight: torch.Tensor) -> None:
        nn.init.orthogonal_(weight)
        weight.data.add_(0.001 * torch.randn(weight.shape))

    (one,) = requested(rough, "nn.init.orthogonal_", "gain=1")
    assert one.code == "FI307"
    assert not requested(rough, "copy_", "other")  # nobody asked for it


def test_gates_that_are_orthogonal_only_as_a_stack():
    torch.manual_seed(0)
    model = nn.LSTM(16, 32)
    nn.init.orthogonal_(model.weight_hh_l0)
    (one,) = findings(model)
    assert (one.code, one.where, one.severity) == ("FI307", ("weight_hh_l0",), "warning")
    for gate in model.weight_hh_l0.data.chunk(4):
        nn.init.orthogonal_(gate)
    assert not findings(model)


class Tagger(nn.Module):
    def __init__(self, norm: bool) -> None:
        super().__init__()
        self.emb = nn.Embedding(20000, 16)
        self.norm = nn.LayerNorm(16) if norm else nn.Identity()
        self.out = nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.norm(self.emb(x)))


@pytest.mark.parametrize(("norm", "severity"), [(False, "warning"), (True, "info")])
def test_glorot_on_an_embedding(norm: bool, severity: str):
    torch.manual_seed(0)
    model = Tagger(norm)
    batch = torch.randint(0, 20000, (4, 8))
    assert not findings(model, batch)
    nn.init.xavier_uniform_(model.emb.weight)
    (one,) = findings(model, batch)
    assert (one.code, one.where, one.severity) == ("FI311", ("emb.weight",), severity)
    nn.init.normal_(model.emb.weight, std=0.02)
    assert not findings(model, batch)
