"""Designs and optimisers as values: what they hold, what they refuse, what is read back."""

import contextlib
import inspect
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanin.errors import FaninError
from fanin.studies.design import LOSSES, STRETCHES, Design, plan_points
from fanin.studies.optimizer import OPTIMIZERS, Optimizer
from training_cases import blobs, case

FRACTIONS = st.floats(0, 1, exclude_max=True)
POSITIVE = st.floats(0, 1e10, exclude_min=True)


# The strategies give arguments, not values: in the tests beartype checks a few elements of every
# tuple, picked with `random`, which has no place inside a strategy.
@st.composite
def optimizers(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(OPTIMIZERS))
    adaptive = name.startswith("adam")
    return {
        "name": name,
        "rate": draw(st.none() | POSITIVE),
        "momentum": draw(FRACTIONS) if name == "momentum" else None,
        "decay": draw(FRACTIONS) if name == "rmsprop" else None,
        "betas": draw(st.tuples(FRACTIONS, FRACTIONS)) if adaptive else None,
        "epsilon": draw(POSITIVE) if adaptive or name == "rmsprop" else None,
        "weight_decay": draw(st.floats(0, 10)) if name == "adamw" else None,
    }


@st.composite
def designs(draw: st.DrawFn) -> dict[str, Any]:
    points = draw(st.sets(st.integers(1, 10**6), min_size=1, max_size=5).map(sorted))
    return {
        "network": draw(st.text()),
        "data": draw(st.text()),
        "schemes": tuple(draw(st.lists(st.text(), min_size=1, unique=True))),
        "repeats": draw(st.integers(1, 10**6)),
        "seed": draw(st.integers(0, 2**63)),
        "batch_size": draw(st.integers(1, 10**6)),
        "steps": points[-1],
        "steps_per_epoch": draw(st.integers(1, 10**6)),
        "points": (0, *points),
        "loss": draw(st.sampled_from(LOSSES)),
        "orders": draw(st.integers(1, 10**6)),
    }


@given(settings=optimizers())
def test_the_printed_optimizer_is_read_back(settings: dict[str, Any]) -> None:
    optimizer = Optimizer(**settings)
    assert Optimizer.parse(str(optimizer)) == optimizer
    assert replace(optimizer) == optimizer


@given(settings=designs(), optimizer=optimizers())
def test_the_stored_design_is_read_back(
    settings: dict[str, Any], optimizer: dict[str, Any]
) -> None:
    design = Design(**settings, optimizer=Optimizer(**optimizer))
    again = Design.from_json(design.to_json())
    assert again == design
    assert all(isinstance(point, int) for point in again.points)


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("sgd", {"rate": 0.01}),
        ("momentum", {"rate": 0.01, "momentum": 0.9}),
        ("rmsprop", {"rate": 0.001, "decay": 0.9, "epsilon": 1e-7}),
        ("adam", {"rate": 0.001, "betas": (0.9, 0.999), "epsilon": 1e-8}),
        (
            "adamw",
            {"rate": 0.001, "betas": (0.9, 0.999), "epsilon": 1e-8, "weight_decay": 0.01},
        ),
        ("adam(beta1=0, rate=1)", {"rate": 1.0, "betas": (0.0, 0.999), "epsilon": 1e-8}),
        ("sgd(0.5)", {"rate": 0.5}),
    ],
)
def test_defaults(text: str, settings: dict[str, Any]) -> None:
    optimizer = Optimizer.parse(text)
    absent = {
        "momentum": 0.0,
        "decay": 0.0,
        "betas": (0.0, 0.0),
        "epsilon": 0.0,
        "weight_decay": 0.0,
    }
    assert vars(optimizer) == {"name": text.partition("(")[0], **absent, **settings}


def test_defaults_are_those_of_the_frameworks() -> None:
    torch = pytest.importorskip("torch")
    keras = pytest.importorskip("keras")
    weights = [torch.zeros(1, requires_grad=True)]
    for name, truth in (("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)):
        defaults = truth(weights).defaults
        ours = Optimizer(name)
        assert ours.rate == defaults["lr"]
        assert ours.betas == defaults["betas"]
        assert ours.epsilon == defaults["eps"]
        assert ours.weight_decay == defaults["weight_decay"]
    settings = inspect.signature(keras.optimizers.RMSprop).parameters
    ours = Optimizer("rmsprop")
    assert ours.decay == settings["rho"].default
    assert ours.epsilon == settings["epsilon"].default
    assert ours.rate == settings["learning_rate"].default


def test_the_rate_may_come_on_its_own() -> None:
    assert Optimizer.parse("adam", rate=0.1).rate == 0.1
    assert Optimizer.parse("adam(0.1)", rate=0.1).rate == 0.1
    with pytest.raises(FaninError, match=r"two rates.*adam\(0\.1\).*rate=0\.2"):
        Optimizer.parse("adam(0.1)", rate=0.2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("adm", ['"adm"', 'mean "adam"', "sgd, momentum"]),
        ("", ["cannot read"]),
        ("sgd(momentum=0.9)", ['sgd has no setting "momentum"', "it has rate"]),
        ("adam(beta=0.9)", ['mean "beta2"', "beta1"]),
        ("sgd(0.1, 0.2)", ["after the rate"]),
        ("sgd(0.1, rate=0.2)", ["rate is given twice"]),
        ("sgd(rate=0.1, rate=0.2)", ["rate is given twice"]),
        ("sgd(fast)", ["must be a number", "fast"]),
        ("sgd(True)", ["must be a number"]),
        ("sgd(0)", ["rate of sgd", "above 0", "got 0"]),
        ("sgd(-1)", ["above 0"]),
        ("sgd(1e999)", ["finite", "inf"]),
        ("momentum(momentum=1)", ["momentum of momentum", "below 1"]),
        ("rmsprop(decay=1)", ["decay of rmsprop", "below 1"]),
        ("adam(beta2=-0.1)", ["beta2 of adam", "-0.1"]),
        ("adam(epsilon=0)", ["epsilon of adam", "above 0"]),
        ("adamw(weight_decay=-1)", ["weight_decay of adamw", "0 or above"]),
    ],
)
def test_bad_optimizers_are_told(text: str, words: list[str]) -> None:
    with pytest.raises(FaninError) as caught:
        Optimizer.parse(text)
    for word in words:
        assert word in str(caught.value)


def test_a_setting_without_a_term_is_refused() -> None:
    with pytest.raises(FaninError, match=r"sgd has no weight_decay, got weight_decay=0\.1"):
        Optimizer("sgd", weight_decay=0.1)


@given(text=st.text(max_size=20) | st.text("adamw(=,)0.1 ratebet\0", max_size=20))
def test_no_optimizer_ends_in_a_traceback(text: str) -> None:
    with contextlib.suppress(FaninError):
        assert Optimizer.parse(text).name in OPTIMIZERS


PLAIN = Design(
    network="4-1 sigmoid",
    data="iris",
    schemes=("zeros", "normal(0, 0.05)"),
    repeats=3,
    seed=7,
    optimizer=Optimizer("sgd"),
    batch_size=16,
    steps=14,
    steps_per_epoch=7,
    points=(0, 7, 14),
    loss="bce",
)


def test_seeds_and_epochs() -> None:
    assert PLAIN.seeds == (7, 8, 9)
    assert PLAIN.epochs == (0.0, 1.0, 2.0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schemes": ()}, ["schemes is empty"]),
        ({"schemes": ("zeros", "ones", "zeros")}, ["zeros twice"]),
        ({"repeats": 0}, ["repeats", "at least 1, got 0"]),
        ({"batch_size": 0}, ["batch_size"]),
        ({"steps": 0}, ["steps"]),
        ({"steps_per_epoch": -1}, ["steps_per_epoch"]),
        ({"seed": -1}, ["seed", "-1"]),
        ({"seed": 2**64 - 2}, ["seed", "repeats=3"]),
        ({"points": ()}, ["points"]),
        ({"points": (0,)}, ["points"]),
        ({"points": (0, 7)}, ["the last step, 14"]),
        ({"points": (1, 14)}, ["from 0"]),
        ({"points": (0, 8, 8, 14)}, ["rise"]),
    ],
)
def test_bad_designs_are_told(changes: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(FaninError) as caught:
        replace(PLAIN, **changes)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["must be JSON"]),
        ("[]", ["JSON object"]),
        ("{}", ['must have "network"']),
        (json.dumps(json.loads(PLAIN.to_json()) | {"sed": 1}), ['no "sed"', 'mean "seed"']),
        (PLAIN.to_json().replace('"bce"', '"hinge"'), ['no loss "hinge"', "mse"]),
        *(
            (json.dumps(json.loads(PLAIN.to_json()) | {name: value}), [name, "cannot be"])
            for name, value in {
                "schemes": "zeros",
                "points": [0, 7.0, 14],
                "repeats": "3",
                "seed": True,
                "optimizer": None,
                "loss": 1,
            }.items()
        ),
    ],
)
def test_bad_stores_are_told(text: str, words: list[str]) -> None:
    with pytest.raises(FaninError) as caught:
        Design.from_json(text)
    for word in words:
        assert word in str(caught.value)


@given(n_train=st.integers(1, 5000), batch_size=st.integers(1, 600), epochs=st.integers(1, 50))
def test_epochs_are_measured_at_their_ends(n_train: int, batch_size: int, epochs: int) -> None:
    steps, ends = 0, [0]
    for _ in range(epochs):
        steps += len(range(0, n_train, batch_size))
        ends.append(steps)
    schedule = plan_points(epochs=epochs, n_train=n_train, batch_size=batch_size)
    assert schedule == (steps, ends[1], tuple(ends))


@given(steps=st.integers(1, 10**7))
def test_steps_are_measured_evenly(steps: int) -> None:
    schedule = plan_points(steps=steps, n_train=10, batch_size=3)
    gaps = [late - early for early, late in zip(schedule.points, schedule.points[1:], strict=False)]
    assert len(gaps) == min(steps, STRETCHES)
    assert sum(gaps) == schedule.steps == steps
    assert min(gaps) >= 1
    assert max(gaps) - min(gaps) <= 1


def test_the_length_of_a_training() -> None:
    assert plan_points(n_train=10, batch_size=100).points == tuple(range(11))
    for bad in ({"epochs": 1, "steps": 1}, {"epochs": 0}, {"steps": 0}, {"steps": -5}):
        with pytest.raises(FaninError, match=r"epochs|steps"):
            plan_points(**bad, n_train=10, batch_size=5)
    with pytest.raises(FaninError, match="batch_size"):
        plan_points(n_train=10, batch_size=0)


def test_a_repeat_has_an_order_of_its_own_unless_the_design_is_crossed() -> None:
    plain = replace(case("4-1", blobs()).design, repeats=3, seed=7)
    assert plain.runs == ((7, 7), (8, 8), (9, 9))
    crossed = replace(plain, orders=2)
    assert crossed.runs == ((7, 7), (7, 8), (8, 7), (8, 8), (9, 7), (9, 8))
    with pytest.raises(FaninError, match="orders must be at least 1, got 0"):
        replace(plain, orders=0)
    with pytest.raises(FaninError, match="repeats=1 and orders=9"):
        replace(plain, seed=2**64 - 2, repeats=1, orders=9)
