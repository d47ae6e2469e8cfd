"""Networks of every kind, each against the loop that everyone writes, started by `fanin.init_`."""

import copy
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from fanin.errors import FaninError
from fanin.studies.data import Part
from fanin.studies.order import batches
from fanin.studies.trainer import Task
from fanin.torch.apply import init_
from fanin.torch.starts import plans_of, stack_starts
from fanin.torch.trainer import TorchTrainer
from fanin.torch.trials import Trials
from training_cases import blobs, case, curves_of, empty_curves

# As in test_trainer_parity: 2^-23 for each of 12 steps, and an allowance of 8 for norms and depth.
NEAR = {"rtol": 0, "atol": 8 * 12 * 2**-23}


class Wrapped(nn.Module):
    """A layer with a head, and a function of its own between them."""

    def __init__(self, body: nn.Module, head: nn.Module, between: Callable[[Any], Any]) -> None:
        super().__init__()
        self.body, self.head, self.between = body, head, between

    def forward(self, features: Tensor) -> Tensor:
        return self.head(self.between(self.body(features)))


def recurrent() -> nn.Module:
    body = nn.GRU(2, 5, batch_first=True)
    first = nn.Unflatten(1, (2, 2))
    return Wrapped(nn.Sequential(first, body), nn.Linear(5, 3), lambda out: out[0][:, -1])


def branching() -> nn.Module:
    def between(hidden: Tensor) -> Tensor:
        return hidden * 2 if hidden.mean() > 0 else hidden

    return Wrapped(nn.Linear(4, 6), nn.Linear(6, 3), between)


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        del ctx
        return 2 * values

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        del ctx
        return 2 * gradients[0]


def own_function() -> nn.Module:
    return Wrapped(nn.Linear(4, 6), nn.Linear(6, 3), Doubled.apply)


def writing_in_place() -> nn.Module:
    def between(hidden: Tensor) -> Tensor:
        padded = torch.zeros(len(hidden), 8)
        padded[:, :6] = hidden
        return padded

    return Wrapped(nn.Linear(4, 6), nn.Linear(8, 3), between)


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 4)), nn.Conv1d(1, 6, 3, padding=1), nn.BatchNorm1d(6), nn.ReLU(),
        nn.MaxPool1d(2), nn.Flatten(), nn.Linear(12, 3),
    )  # fmt: skip


class Counting(nn.Module):
    """A buffer that is replaced in every training step, not written to, and used."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, features: Tensor) -> Tensor:
        if self.training:
            self.steps = self.steps + 1
        return self.layer(features) / (1 + 0.1 * self.steps)


def tied() -> nn.Module:
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 3))
    model[2].weight = model[0].weight
    return model


def partly_frozen() -> nn.Module:
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    model[0].requires_grad_(requires_grad=False)
    return model


class Idle(nn.Module):
    """A layer that nothing flows through."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.idle = nn.Linear(4, 3), nn.Linear(7, 7)

    def forward(self, features: Tensor) -> Tensor:
        return self.used(features)


def normed(norm: Callable[[nn.Module], nn.Module]) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(norm(nn.Linear(4, 6)), nn.Tanh(), nn.Linear(6, 3))


TOGETHER: dict[str, Callable[[], nn.Module]] = {
    "convolutional": convolutional,
    "a buffer that is replaced": Counting,
    "tied": tied,
    "partly frozen": partly_frozen,
    "an idle layer": Idle,
    "weight norm": normed(parametrizations.weight_norm),
    "lazy": lambda: nn.Sequential(nn.LazyLinear(6), nn.Tanh(), nn.LazyLinear(3)),
    "meta": lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)).to("meta"),
    "double precision": lambda: nn.Linear(4, 3).double(),
}
ONE_BY_ONE: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "recurrent": (recurrent, "Batching rule not implemented for aten::gru"),
    "branching": (branching, "data-dependent control flow"),
    "own function": (own_function, "setup_context"),
    "writing in place": (writing_in_place, "inplace"),
}


def plain_losses(task: Task, scheme: str, seed: int) -> np.ndarray:
    """The losses of both parts after each epoch, in the way everyone trains."""
    assert callable(task.network)
    model = task.network()
    if any(nn.parameter.is_lazy(p) for p in model.parameters()):
        model(torch.zeros(2, 4))
    init_(model, scheme, seed)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=task.design.optimizer.rate)
    dtype = trained[0].dtype
    parts = [
        (torch.from_numpy(part.features).to(dtype), torch.from_numpy(part.target))
        for part in task.data.parts.values()
    ]
    features, target = parts[0]
    points = list[list[float]]()
    for epoch in range(len(task.design.points)):
        model.eval()
        with torch.no_grad():
            points.append([functional.cross_entropy(model(x), y).item() for x, y in parts])
        model.train()
        for batch in batches(seed, epoch, len(features), task.design.batch_size):
            optimizer.zero_grad()
            functional.cross_entropy(model(features[batch]), target[batch]).backward()
            optimizer.step()
    return np.array(points).T


def check_against_a_plain_loop(factory: Callable[[], nn.Module]) -> TorchTrainer:
    task = case(factory, blobs(classes=3), optimizer="sgd(0.05)", repeats=2, seed=3)
    trainer = TorchTrainer()
    loss = curves_of(trainer, task)["loss"]
    for s, scheme in enumerate(task.design.schemes):
        for r, seed in enumerate(task.design.seeds):
            np.testing.assert_allclose(loss[:, s, r], plain_losses(task, scheme, seed), **NEAR)
    return trainer


@pytest.mark.parametrize("name", TOGETHER)
def test_trained_together(name: str) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Lazy modules are a new feature")
        assert check_against_a_plain_loop(TOGETHER[name]).notes == ()


@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_trained_one_by_one_and_says_so(name: str) -> None:
    factory, reason = ONE_BY_ONE[name]
    trainer = check_against_a_plain_loop(factory)
    (note,) = trainer.notes
    assert note.startswith("The runs were trained one by one, because torch.vmap cannot take this")
    assert reason in note
    assert "one by one" in trainer.name
    assert trainer.chunk(case(factory, blobs(classes=3), repeats=50)) == 1


def test_one_by_one_ticks_are_steps_of_the_chunk() -> None:
    task, ticks = case(branching, blobs(classes=3), repeats=2), list[int]()
    TorchTrainer().run(task, task.design.runs[:2], empty_curves(task, 2), ticks.append)
    assert sum(ticks) == task.design.steps


def test_images_go_through_convolutions() -> None:
    data = blobs(classes=3)
    square = {"train": data.train, "held_out": data.held_out}
    parts = {k: Part(p.features.reshape(-1, 1, 2, 2), p.target) for k, p in square.items() if p}
    data = replace(data, **parts)
    factory = lambda: nn.Sequential(nn.Conv2d(1, 3, 2), nn.Flatten())  # noqa: E731  # one line
    curves = curves_of(TorchTrainer(), case(factory, data, optimizer="adam(0.1)"))
    assert (curves["loss"][0, 0, :, -1] < curves["loss"][0, 0, :, 0]).all()


def test_dropout_hits_all_schemes_of_a_repeat_alike() -> None:
    """Two schemes that start alike stay alike; the held-out loss is measured without dropout."""
    schemes = ("constant(0.1)", "uniform(0.1, 0.1)")
    task = case("4-30-3 relu dropout=0.5", blobs(classes=3), schemes=schemes, optimizer="sgd(0.1)")
    curves = curves_of(TorchTrainer(), task)["loss"]
    np.testing.assert_allclose(curves[:, 0], curves[:, 1], rtol=1e-6)
    without = case("4-30-3 relu", blobs(classes=3), schemes=schemes, optimizer="sgd(0.1)")
    dry = curves_of(TorchTrainer(), without)["loss"]
    np.testing.assert_allclose(curves[..., 0], dry[..., 0], rtol=1e-6)
    assert (np.abs(curves[..., -1] - dry[..., -1]) > 1e-5).all()


class Dropping(nn.Module):
    """Puts out the share of 400 ones that a dropout of 0.3 keeps."""

    def __init__(self) -> None:
        super().__init__()
        self.ones = nn.Parameter(torch.ones(400))

    def forward(self, features: Tensor) -> Tensor:
        kept = functional.dropout(self.ones.expand(len(features), 400), 0.3, self.training)
        return 0.7 * kept.mean(-1, keepdim=True)


def test_dropout_drops_its_share_anew_for_each_example_and_repeat() -> None:
    plans = plans_of(Dropping(), ["zeros"], {"ones": "ones"})
    starts = stack_starts(Dropping(), plans, list(range(5)))
    torch.manual_seed(0)
    shares = Trials(Dropping(), starts, together=True).train(torch.zeros(5, 8, 1)).detach()
    # 5 standard errors of a share of 5 x 8 x 400 units.
    assert abs(shares.mean().item() - 0.7) < 5 * np.sqrt(0.3 * 0.7 / (5 * 8 * 400))
    assert shares.flatten().unique().numel() > 20
    assert torch.equal(Trials(Dropping(), starts, together=True).evaluate(torch.zeros(8, 1)),
                       torch.full((5, 1, 8, 1), 0.7))  # fmt: skip


def test_a_network_that_is_kept_elsewhere_is_left_alone() -> None:
    """`lambda: model` hands out a network in use: nothing of it may change, modes included."""
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.2), nn.Linear(6, 3))
    model[1].eval()
    model[0].weight.requires_grad_(requires_grad=False)
    before, modes = copy.deepcopy(model.state_dict()), [m.training for m in model.modules()]
    trainer, task = TorchTrainer(), case(lambda: model, blobs(classes=3))
    trainer.chunk(task)
    curves_of(trainer, task)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert all(parameter.grad is None for parameter in model.parameters())
    assert [p.requires_grad for p in model.parameters()] == [False, *[True] * 5]


def test_the_start_of_a_parametrised_network_is_put_back_too() -> None:
    model = parametrizations.spectral_norm(nn.Linear(4, 3))
    before = copy.deepcopy(model.state_dict())
    trainer, task = TorchTrainer(), case(lambda: model, blobs(classes=3), optimizer="sgd(0.1)")
    curves = curves_of(trainer, task)["loss"]
    assert np.isfinite(curves).all()
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_rules_reach_the_starts() -> None:
    rules = {"layers.1.*": "zeros"}
    curves = curves_of(TorchTrainer(), case("4-6-3 relu", blobs(classes=3), rules=rules))
    np.testing.assert_allclose(curves["loss"][..., 0], np.log(3), rtol=1e-6)


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        (
            lambda: nn.Linear(5, 1),
            r"failed on a batch of made up of shape \(16, 4\), 16 examples: ",
        ),
        (lambda: nn.Linear(4, 3), r"outputs of shape \(16, 3\); the loss bce .* needs \(16, 1\)$"),
        (lambda: nn.Linear(4, 2), r'; for one logit per class the loss is "cross_entropy"$'),
        (lambda: nn.Sequential(nn.Linear(4, 1), nn.Unflatten(1, (1, 1))), r"shape \(16, 1, 1\)"),
        (lambda: Wrapped(nn.Linear(4, 1), nn.Identity(), lambda z: (z,)), "must return one tensor"),
        (lambda: Wrapped(nn.Linear(4, 1), nn.Identity(), torch.mean), r"outputs of shape \(\)"),
    ],
)
def test_a_network_that_does_not_fit(factory: Callable[[], nn.Module], said: str) -> None:
    for call in (TorchTrainer().chunk, lambda task: curves_of(TorchTrainer(), task)):
        with pytest.raises(FaninError, match=said):
            call(case(factory, blobs()))


def test_one_logit_may_come_without_its_axis() -> None:
    flat = case(lambda: nn.Sequential(nn.Linear(4, 1), nn.Flatten(0)), blobs())
    axis = case(lambda: nn.Sequential(nn.Linear(4, 1)), blobs())
    for metric, curve in curves_of(TorchTrainer(), flat).items():
        np.testing.assert_array_equal(curve, curves_of(TorchTrainer(), axis)[metric])


class Breaking(nn.Linear):
    """Fails once it has been called a few times."""

    calls = 0

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # the name of the base class
        self.calls += 1
        if self.calls > 20:
            raise OSError("disk full")
        return super().forward(input)


def test_a_network_that_fails_on_the_way() -> None:
    task = case(lambda: Breaking(4, 1), blobs(), epochs=9)
    with pytest.raises(FaninError, match=r"failed in training step \d+: OSError: disk full"):
        curves_of(TorchTrainer(), task)


def test_a_network_that_fails_on_the_last_short_batch_says_so_first() -> None:
    factory = lambda: nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))  # noqa: E731  # one line
    with pytest.raises(FaninError, match=r"shape \(1, 4\), 1 examples: .*more than 1 value"):
        TorchTrainer().chunk(case(factory, blobs(81, classes=3), batch_size=16))


@pytest.mark.parametrize(
    ("outputs", "end", "loss", "told"),
    [
        (1, nn.Sigmoid(), "bce", "ends in a sigmoid"),
        (2, nn.Softmax(-1), "cross_entropy", "ends in a softmax"),
        (1, nn.Identity(), "bce", None),
        (2, nn.Identity(), "cross_entropy", None),
        (1, nn.Sigmoid(), "mse", None),
    ],
)
def test_probabilities_where_logits_belong_are_noticed(outputs, end, loss, told):
    task = case(lambda: nn.Sequential(nn.Linear(4, outputs), end), blobs(), loss=loss)
    trainer = TorchTrainer()
    curves_of(trainer, task)
    assert len(trainer.notes) == (told is not None)
    assert told is None or told in trainer.notes[0]


def test_a_factory_that_exits_and_outputs_that_are_no_logits_are_told():
    def exits() -> nn.Module:
        raise SystemExit(3)

    with pytest.raises(FaninError, match=r"exits\(\) failed: SystemExit: 3"):
        curves_of(TorchTrainer(), case(exits, blobs()))
    complex_outputs = Wrapped(nn.Linear(4, 2), nn.Identity(), lambda x: x.to(torch.complex64))
    with pytest.raises(FaninError, match=r"floating-point numbers, got torch\.complex64"):
        curves_of(TorchTrainer(), case(lambda: complex_outputs, blobs()))
