"""A check leaves everything as it was, and answers odd models rightly or clearly."""

import copy
import threading

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from fanin import FaninError, check
from fanin.checks import Severity

INPUTS, TARGET = torch.randn(32, 8), torch.arange(32) % 4


def loud(report):
    return [one.code for one in report.findings if one.severity is not Severity.INFO]


def state(model):
    return {
        "tensors": {name: held.clone() for name, held in model.state_dict().items()},
        "modes": [module.training for module in model.modules()],
        "grads": [own.grad for own in model.parameters()],
        "asked": [own.requires_grad for own in model.parameters()],
        "hooks": [len(module._forward_hooks) for module in model.modules()],
        "torch": torch.get_rng_state(),
        "numpy": np.random.get_state()[1].copy(),  # noqa: NPY002
        "dtype": torch.get_default_dtype(),
        "strict": torch.are_deterministic_algorithms_enabled(),
    }


def same(one, other):
    for name, held in one["tensors"].items():
        assert torch.equal(held.nan_to_num(7), other["tensors"][name].nan_to_num(7)), name
    assert torch.equal(one["torch"], other["torch"])
    assert (one["numpy"] == other["numpy"]).all()
    for key in ("modes", "grads", "asked", "hooks", "dtype", "strict"):
        assert one[key] == other[key], key


class Failing(nn.Module):
    """Fails at the chosen layer, after it has moved its running statistics and drawn numbers."""

    def __init__(self, at, problem):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Linear(8, 4)])
        self.at, self.problem, self.calls = at, problem, 0

    def forward(self, x):
        for place, layer in enumerate(self.layers):
            self.calls += 1
            x = functional.dropout(layer(x), 0.1)
            if place == self.at:
                raise self.problem
        return x


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("problem", [RuntimeError("out of luck"), KeyboardInterrupt()], ids=str)
def test_nothing_is_changed_whatever_happens(at, problem):
    model = Failing(at, problem)
    before = state(model)
    if at == 3:
        check(model, INPUTS, TARGET)
    else:
        kind = FaninError if isinstance(problem, RuntimeError) else KeyboardInterrupt
        with pytest.raises(kind):
            check(model, INPUTS, TARGET)
    same(before, state(model))
    assert model.calls == 0


def test_nothing_is_changed_where_steps_are_tried():
    model = nn.Sequential(nn.Linear(8, 8), nn.Dropout(), nn.ReLU(), nn.Linear(8, 4))
    nn.init.zeros_(model[0].weight)
    nn.init.zeros_(model[3].weight)
    before = state(model)
    check(model, INPUTS, TARGET, prove=True)
    same(before, state(model))


def test_what_the_build_seeds_stays_inside():
    before = torch.get_rng_state()

    def build():
        torch.manual_seed(99)
        return nn.Linear(8, 4)

    check(build, INPUTS, TARGET)
    assert torch.equal(before, torch.get_rng_state())


def test_looking_takes_no_step_of_a_parametrisation():
    wrap = nn.utils.parametrizations.spectral_norm
    model = nn.Sequential(wrap(nn.Linear(8, 8)), nn.ReLU(), wrap(nn.Linear(8, 4)))
    before = state(model)
    check(model, INPUTS, TARGET)
    same(before, state(model))


def test_settings_that_a_build_or_a_pass_changes_are_put_back():
    class Setting(nn.Module):
        def __init__(self):
            super().__init__()
            torch.use_deterministic_algorithms(True)
            self.fc = nn.Linear(8, 4)

        def forward(self, x):
            torch.set_default_dtype(torch.float64)
            torch.set_grad_enabled(False)
            torch.set_float32_matmul_precision("medium")
            torch.backends.cudnn.benchmark = True
            torch.backends.cudnn.deterministic = True
            return self.fc(x)

    check(Setting, INPUTS)
    assert torch.get_default_dtype() is torch.float32
    assert torch.is_grad_enabled()
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cudnn.benchmark
    assert not torch.backends.cudnn.deterministic


ODD_BUFFERS = {
    "sparse": lambda: torch.sparse_coo_tensor([[0], [1]], [1.0], (2, 2)),
    "compressed": lambda: torch.eye(3).to_sparse_csr(),
    "nested": lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    "quantised": lambda: torch.quantize_per_tensor(torch.randn(4), 0.1, 0, torch.qint8),
    "short": lambda: torch.ones(4).to(torch.float8_e4m3fn),
}


@pytest.mark.parametrize("kind", ODD_BUFFERS)
@pytest.mark.filterwarnings("ignore:.*Sparse.*:UserWarning")
@pytest.mark.filterwarnings("ignore:.*nested.*:UserWarning")
@pytest.mark.filterwarnings("ignore:.*quantiz.*:UserWarning")
def test_odd_buffers_are_no_obstacle(kind):
    def build():
        model = nn.Linear(8, 4)
        model.register_buffer("odd", ODD_BUFFERS[kind]())
        return model

    assert loud(check(build, INPUTS, TARGET)) == []


def test_a_pass_that_broken_values_prevent_is_told_as_a_note():
    class Strict(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(8, 4)
            nn.init.constant_(self.fc.weight, float("nan"))

        def forward(self, x):
            out = self.fc(x)
            if out.isnan().any():
                raise ValueError("nan")
            return out

    report = check(Strict(), INPUTS)
    assert loud(report) == ["FI102"]
    assert "no pass was made: Strict failed" in str(report)


class Returning(nn.Module):
    """Returns whatever it is told to."""

    def __init__(self, make):
        super().__init__()
        self.fc, self.make = nn.Linear(8, 4), make

    def forward(self, x):
        return self.make(self.fc(x))


@pytest.mark.parametrize("make", [lambda _: None, torch.Tensor.detach])
def test_an_output_that_sends_nothing_back_is_noted(make):
    report = check(Returning(make), INPUTS)
    assert loud(report) == []
    assert any(note.startswith("no gradient was sent back") for note in report.evidence.notes)


def test_a_sound_pass_has_nothing_to_note():
    assert check(nn.Linear(8, 4), INPUTS, TARGET).evidence.notes == ()


@pytest.mark.parametrize("loss", [None, nn.functional.cross_entropy])
def test_on_the_meta_device_it_says_that_nothing_is_there(loss):
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    report = check(model, INPUTS, TARGET, loss=loss)
    assert loud(report) == []
    assert report.evidence.notes == (
        "4 parameters on the meta device, where there is nothing to read",
    )


def test_what_spreads_a_batch_over_devices_takes_what_its_model_takes():
    model = nn.DataParallel(nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)))
    report = check(model, INPUTS, TARGET)
    assert loud(report) == []
    assert report.evidence.answer.loss == "cross entropy"


def test_a_loss_that_is_no_number_is_named():
    with pytest.raises(FaninError, match="must return one number"):
        check(nn.Linear(8, 4), INPUTS, TARGET, loss=lambda output, _: output)


def test_a_batch_that_does_not_fit_is_named():
    with pytest.raises(FaninError, match=r"failed .*on the batch \(float32 \(32, 5\)\)"):
        check(nn.Linear(8, 4), torch.randn(32, 5))


def test_a_model_without_parameters_says_so():
    with pytest.raises(FaninError, match="no parameters"):
        check(nn.ReLU(), INPUTS)


def test_lazy_models_have_to_see_a_batch_first():
    with pytest.raises(FaninError, match=r"(?i)lazy|shape"):
        check(nn.LazyLinear(4), INPUTS)


def test_frozen_half_and_odd_models_are_answered():
    frozen = nn.Linear(8, 4).requires_grad_(False)
    assert loud(check(frozen, INPUTS, TARGET)) == []
    half = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)).bfloat16()
    assert loud(check(half, INPUTS.bfloat16(), TARGET)) == []
    assert loud(check(nn.Linear(8, 4, dtype=torch.complex64))) == []
    assert loud(check(nn.Linear(8, 4, device="meta"))) == []
    assert loud(check(nn.Linear(1, 1), torch.randn(2, 1))) == []


def test_whole_numbers_as_parameters():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(8, 4)
            self.steps = nn.Parameter(torch.tensor([3, 4]), requires_grad=False)

        def forward(self, x):
            return self.fc(x) * self.steps.sum()

    assert "FI102" not in loud(check(Counting(), INPUTS))


def test_threads_and_random_numbers_inside():
    class Busy(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(8, 4)

        def forward(self, x):
            worker = threading.Thread(target=lambda: torch.ones(3).sum())
            worker.start()
            worker.join()
            return self.fc(x + 0.1 * torch.randn_like(x))

    model, before = Busy(), torch.get_rng_state()
    assert loud(check(model, INPUTS, TARGET)) == []
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("given", [3, None, "train.py:build"])
def test_what_is_no_model_is_named(given):
    with pytest.raises(FaninError, match=r"takes a torch\.nn\.Module or a function"):
        check(given)


def test_a_model_is_neither_watched_nor_built_again():
    with pytest.raises(FaninError, match="birth need the function that builds the model"):
        check(nn.Linear(2, 2), probes=["birth"])


def test_a_copy_gives_the_same_report():
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    nn.init.constant_(model[0].weight, 0.1)
    first, second = (check(one, INPUTS, TARGET) for one in (model, copy.deepcopy(model)))
    assert first.findings == second.findings
