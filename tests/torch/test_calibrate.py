"""Calibration: unit outputs where they were asked for, measured by hooks and by hand, not by it."""

import copy
import dataclasses
import random
from collections.abc import Generator

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

import fanin
from calibrated_cases import (
    CONVOLUTIONS,
    SEED,
    WITHIN,
    assert_unit,
    calibrated,
    cycling,
    gaussian,
    outputs_of,
    plan_of,
)
from fanin.recipes import Plan
from fanin.schemes import listed
from fanin.torch.calibrate import calibrate
from fanin.trace import Place, Surroundings


@pytest.mark.parametrize("scheme", ["orthogonal", "lecun_normal", "torch_default", "he_uniform"])
def test_every_layer_has_unit_pre_activations(scheme: str) -> None:
    model, batch = cycling(), gaussian(128, 64)
    planned = plan_of(model, scheme)
    plan = calibrated(model, planned, batch)
    found, start = outputs_of(model, batch), planned.start(SEED)
    assert len(found) == 20
    for name, signals in found.items():
        assert_unit(signals[0] - torch.from_numpy(start[f"{name}.bias"])[:, None])
    assert all("calibrated: output std" in row.reason for row in plan.rows if row.std and
               row.name.endswith("weight"))  # fmt: skip


@pytest.fixture
def one_thread() -> Generator[None]:
    """Layers of this size cost more to share out than to compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def accuracy_after_training(model: nn.Module) -> float:
    images, digits = load_digits(return_X_y=True)
    features = torch.tensor((images - images.mean(0)) / (images.std(0) + 1e-6)).float()
    target = torch.tensor(digits)
    optimiser = torch.optim.Adam(model.parameters(), 2e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(150):
        examples = torch.randint(1437, (64,), generator=generator)
        loss = functional.cross_entropy(model(features[examples]), target[examples])
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    return (model(features[1437:]).argmax(1) == target[1437:]).float().mean().item()


@pytest.mark.usefixtures("one_thread")
def test_a_deep_mixed_stack_trains() -> None:
    """Chance is 0.1; one standard error of an accuracy on 360 digits is at most 0.026."""
    model = cycling()
    fanin.init_(model, "torch_default", SEED)
    assert accuracy_after_training(model) < 0.3
    images, _ = load_digits(return_X_y=True)
    batch = torch.tensor((images - images.mean(0)) / (images.std(0) + 1e-6)).float()[:256]
    calibrated(model, plan_of(model, "orthogonal"), batch)
    assert accuracy_after_training(model) > 0.7


class Backwards(nn.Module):
    """Runs its layers in the opposite order of their registration."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(16, 16)
        self.middle = nn.Linear(16, 16)
        self.first = nn.Linear(16, 16)

    def forward(self, signal: Tensor) -> Tensor:
        return self.last(torch.sigmoid(self.middle(torch.sigmoid(self.first(5 * signal)))))


def test_layers_are_set_in_the_order_of_execution() -> None:
    model, batch = Backwards(), gaussian(200, 16)
    plan = calibrated(model, plan_of(model), batch)
    for signals in outputs_of(model, batch).values():
        assert_unit(signals[0])
    # The first layer sees a signal of size 5, the second one a sigmoid of a unit Gaussian, whose
    # standard deviation is 0.208: its own spread was that, as the first was right by then.
    spreads = {row.name: row.reason.partition("output std ")[2] for row in plan.rows}
    first, middle = (float(spreads[f"{name}.weight"].split()[0]) for name in ("first", "middle"))
    # A layer of 16 by 16 has its gain to within some 1 / sqrt(2 * 16) of itself.
    assert first == pytest.approx(5, rel=0.25)
    assert middle == pytest.approx(0.208, rel=0.25)


def test_the_plan_gives_the_same_start_without_the_batch() -> None:
    model, batch = cycling(depth=6), gaussian(64, 64)
    plan = calibrate(model, plan_of(model), SEED, lambda: model(batch))
    first, second = cycling(depth=6), cycling(depth=6).bfloat16()
    fanin.init_(first, plan, SEED)
    fanin.init_(second, plan, SEED)
    for signals in outputs_of(first, batch).values():
        assert_unit(signals[0])
    assert all(map(torch.equal, (p.bfloat16() for p in first.parameters()), second.parameters()))
    again = calibrate(cycling(depth=6), plan_of(model), SEED, lambda: model(batch))
    assert again != plan, "another model than the one that runs is not calibrated"
    assert calibrate(model, plan_of(model), SEED, lambda: model(batch)) == plan
    biases = [row for row in plan.rows if row.name.endswith("bias")]
    assert all(isinstance(row.scheme, listed) for row in biases)


def test_a_calibrated_plan_is_not_calibrated_again() -> None:
    model, batch = cycling(depth=3), gaussian(64, 64)
    once = calibrate(model, plan_of(model), SEED, lambda: model(batch))
    with pytest.raises(fanin.FaninError, match=r"calibrated already \(0\.weight\)"):
        calibrate(model, once, SEED, lambda: model(batch))


def test_a_bias_that_has_nothing_to_do_stays_as_planned() -> None:
    """The units of a linear map of a signal and its negative are centred already."""
    model, half = nn.Sequential(nn.Linear(8, 8)), gaussian(50, 8)
    plan = calibrated(model, plan_of(model), torch.cat([half, -half]))
    weight, bias = plan.rows
    assert "calibrated: output std" in weight.reason
    assert (str(bias.scheme), bias.reason) == ("zeros", "bias: starts at zero")


class Noisy(nn.Module):
    """Dropout, statistics, a counter, and numbers of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.norm = nn.Linear(8, 32), nn.BatchNorm1d(32)
        self.drop, self.head = nn.Dropout(0.5), nn.Linear(32, 4)
        self.register_buffer("calls", torch.zeros(()))
        self.fail = False

    def forward(self, signal: Tensor) -> Tensor:
        self.calls = self.calls + 1
        noise = random.random() + np.random.rand()  # noqa: NPY002  # as a person's code may
        if self.fail:
            raise RuntimeError("out of memory")
        return self.head(self.drop(self.norm(self.layer(signal + noise)).relu()))


@pytest.mark.parametrize("fails", [False, True])
def test_it_leaves_no_trace(fails: bool) -> None:
    model, batch = Noisy(), gaussian(64, 8)
    model.norm.eval()
    model.fail = fails
    model.layer.weight.grad = torch.ones(32, 8)
    before = copy.deepcopy(model.state_dict())
    objects = dict((*model.named_parameters(), *model.named_buffers()))
    modes = [module.training for module in model.modules()]
    states = torch.get_rng_state(), np.random.get_state()[1], torch.is_grad_enabled()  # noqa: NPY002
    fast = torch.backends.mha.get_fastpath_enabled()
    plan = plan_of(model)
    if fails:
        with pytest.raises(RuntimeError, match="out of memory"):
            calibrate(model, plan, SEED, lambda: model(batch))
    else:
        first = calibrate(model, plan, SEED, lambda: model(batch))
        assert calibrate(model, plan, SEED, lambda: model(batch)) == first, "dropout is seeded"
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    after = dict((*model.named_parameters(), *model.named_buffers()))
    assert all(objects[name] is tensor for name, tensor in after.items())
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(states[0], torch.get_rng_state())
    assert (states[1] == np.random.get_state()[1]).all()  # noqa: NPY002
    assert states[2] == torch.is_grad_enabled()
    assert fast == torch.backends.mha.get_fastpath_enabled()
    assert torch.equal(model.layer.weight.grad, torch.ones(32, 8))


def placed(plan: Plan, places: dict[str, Place]) -> Plan:
    """Say where rows stand, as a trace would."""
    rows = [
        dataclasses.replace(
            row,
            slot=dataclasses.replace(
                row.slot, around=Surroundings(places=frozenset({places[row.name]}))
            ),
        )
        if row.name in places
        else row
        for row in plan.rows
    ]
    return dataclasses.replace(plan, rows=tuple(rows))


class Stream(nn.Module):
    """Two branches on a stream; the second starts at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Linear(16, 32)
        self.up, self.down = nn.Linear(32, 64), nn.Linear(64, 32)
        self.other, self.silent = nn.Linear(32, 64), nn.Linear(64, 32)
        self.head = nn.Linear(32, 4)

    def forward(self, signal: Tensor) -> Tensor:
        signal = self.enter(signal)
        signal = signal + self.down(self.up(signal).relu())
        signal = signal + self.silent(self.other(signal).relu())
        return self.head(signal)


def test_what_is_small_on_purpose_keeps_its_share() -> None:
    model, batch = Stream(), gaussian(300, 16)
    rules = {
        "down.weight": "lecun_normal(gain=0.5)",
        "silent.weight": "zeros",
        "head.weight": "lecun_normal(gain=0.1)",
    }
    plan = placed(
        plan_of(model, **rules),
        {"down.weight": Place.WRITER, "silent.weight": Place.WRITER, "head.weight": Place.LAST},
    )
    result = calibrated(model, plan, batch)
    found = {name: signals[0] for name, signals in outputs_of(model, batch).items()}
    for name, target in (("enter", 1), ("up", 1), ("other", 1), ("down", 0.5), ("head", 0.1)):
        assert_unit(found[name], target)
    assert not found["silent"].any()
    silent = next(row for row in result.rows if row.name == "silent.weight")
    assert (str(silent.scheme), silent.reason) == ("zeros", 'rule "silent.weight"')


def test_a_bias_of_its_own_is_where_the_units_are_centred() -> None:
    """A head that starts at the odds of a rare class keeps them."""
    model, batch = (
        nn.Sequential(nn.Linear(16, 32), nn.Sigmoid(), nn.Linear(32, 3)),
        gaussian(90, 16),
    )
    calibrated(model, plan_of(model, **{"2.bias": "constant(-4.6)"}), batch)
    output = model(batch).detach()
    assert output.mean(0).tolist() == pytest.approx([-4.6] * 3, abs=WITHIN)
    assert output.var(0, correction=0).mean().sqrt().item() == pytest.approx(1, rel=WITHIN)


class Functions(nn.Module):
    """Kernels that no module applies: transposed, in an einsum, on the left, and without a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.turned = nn.Linear(16, 24)
        self.summed = nn.Linear(24, 32, bias=False)
        self.left = nn.Linear(32, 8)

    def forward(self, signal: Tensor) -> Tensor:
        self.seen = [signal @ (3 * torch.eye(16)) @ self.turned.weight.T + self.turned.bias]
        self.seen += [torch.einsum("bi,oi->bo", self.seen[-1].sigmoid(), self.summed.weight)]
        column = self.left.weight @ self.seen[-1].sigmoid().T + self.left.bias[:, None]
        self.seen += [column.T]
        return column


def test_what_counts_is_the_operation() -> None:
    model, batch = Functions(), gaussian(100, 16)
    calibrated(model, plan_of(model), batch)
    model(batch)
    first, second, third = (signal.detach().double().T for signal in model.seen)
    assert_unit(first)
    assert_unit(second, centred=False)
    assert_unit(third)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_layers_of_torch(name: str) -> None:
    layer, shape = CONVOLUTIONS[name]
    model, batch = nn.Sequential(layer), 4 + gaussian(*shape)
    calibrated(model, plan_of(model), batch)
    ((signal,),) = outputs_of(model, batch).values()
    assert_unit(signal, centred=name != "without bias")


def test_a_bilinear_layer() -> None:
    model, left, right = nn.Bilinear(8, 6, 10), 2 + gaussian(99, 8), 3 + gaussian(99, 6)
    result = calibrate(model, plan_of(model), SEED, lambda: model(left, right))
    fanin.init_(model, result, SEED)
    assert_unit(model(left, right).detach().double().T)


@pytest.mark.parametrize("training", [True, False])
def test_attention_is_seen_through_its_fused_kernels(training: bool) -> None:
    model = nn.TransformerEncoderLayer(16, 4, 32, 0.0, batch_first=True).train(training)
    batch = gaussian(8, 12, 16)
    plan = calibrated(model, plan_of(model), batch)
    rows = {row.name: row for row in plan.rows}
    for name in ("self_attn.in_proj_weight", "self_attn.out_proj.weight", "linear1.weight"):
        assert "calibrated: output std" in rows[name].reason, name
    attention = model.self_attn
    fused = functional.linear(batch, attention.in_proj_weight, attention.in_proj_bias)
    assert_unit(fused.detach().double().flatten(0, 1).T)


class Repeated(nn.Module):
    """One kernel used on its own output again and again, after a layer used once."""

    def __init__(self, times: int, factor: float) -> None:
        super().__init__()
        self.once, self.shared = nn.Linear(16, 16), nn.Linear(16, 16)
        self.times, self.factor = times, factor

    def forward(self, signal: Tensor) -> Tensor:
        signal = self.shared(self.once(signal))
        for _ in range(self.times - 1):
            signal = self.shared(self.factor * signal.relu())
        return signal


@pytest.mark.parametrize(("times", "factor"), [(2, 5.0), (6, 1.0), (11, 1.4)])
def test_a_kernel_that_is_used_again_is_right_on_the_whole(times: int, factor: float) -> None:
    model, batch = Repeated(times, factor), gaussian(200, 16)
    plan = calibrated(model, plan_of(model), batch)
    found = outputs_of(model, batch)
    assert_unit(found["once"][0])
    assert len(found["shared"]) == times
    squares = [signal.var(correction=0).item() for signal in found["shared"]]
    assert np.mean(squares) ** 0.5 == pytest.approx(1, rel=WITHIN)
    assert str(next(row.scheme for row in plan.rows if row.name == "shared.bias")) == "zeros"
