"""Which engine trains which study, and what is said where none can."""

import sys

import jax.numpy as jnp
import pytest
import torch

import fanin
from fanin.errors import FaninError, MissingExtra
from fanin.jax import Model
from fanin.jax.trainer import JaxTrainer
from fanin.studies.grammar import Network
from fanin.torch.trainer import TorchTrainer
from fanin.verbs.engine import trainer_for

LINE = Network.parse("4-3")
MODEL = Model(lambda params, x: x @ params["w"], {"w": jnp.zeros((4, 3))})


def build() -> torch.nn.Module:
    return torch.nn.Linear(4, 3)


@pytest.mark.parametrize(
    ("network", "schemes", "engine", "expected"),
    [
        (LINE, ["he_normal"], None, JaxTrainer),
        (LINE, ["he_normal"], "torch", TorchTrainer),
        (LINE, ["he_normal"], "jax", JaxTrainer),
        (LINE, ["he_normal", "auto"], None, TorchTrainer),
        (LINE, ["keep"], None, TorchTrainer),
        (build, ["he_normal"], None, TorchTrainer),
        (MODEL, ["he_normal", "keep"], None, JaxTrainer),
    ],
)
def test_the_fastest_that_can(network, schemes, engine, expected) -> None:
    assert type(trainer_for(network, schemes, engine=engine)) is expected


@pytest.mark.parametrize(
    ("network", "schemes", "engine", "said"),
    [
        (LINE, ["he_normal"], "jacks", r'no engine "jacks" \(choose from jax, torch\)'),
        (LINE, ["auto"], "jax", "auto asks where each parameter stands, which PyTorch tells"),
        (build, ["zeros"], "jax", "is a function that builds a module, which PyTorch trains"),
        (MODEL, ["zeros"], "torch", "the engine torch cannot train a fanin.jax.Model"),
    ],
)
def test_what_cannot_be_trained_is_told(network, schemes, engine, said) -> None:
    with pytest.raises(FaninError, match=said):
        trainer_for(network, schemes, engine=engine)


def hide(monkeypatch: pytest.MonkeyPatch, *libraries: str) -> None:
    import importlib.util

    found = importlib.util.find_spec
    for library in libraries:
        monkeypatch.delitem(sys.modules, library)
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in libraries else found(name)
    )


def test_without_jax_torch_trains_and_the_other_way_round(monkeypatch) -> None:
    with monkeypatch.context() as without_jax:
        hide(without_jax, "jax")
        assert isinstance(trainer_for(LINE, ["zeros"]), TorchTrainer)
        with pytest.raises(MissingExtra, match=r'needs jax, .* pip install "fanin\[jax\]"'):
            trainer_for(LINE, ["zeros"], engine="jax")
    with monkeypatch.context() as without_torch:
        hide(without_torch, "torch")
        assert isinstance(trainer_for(LINE, ["zeros"]), JaxTrainer)
        with pytest.raises(MissingExtra, match=r'pip install "fanin\[torch\]"'):
            trainer_for(build, ["zeros"])


def test_compare_gives_the_same_answer_by_either() -> None:
    settings = {"schemes": "zeros, he_normal", "repeats": 3, "epochs": 2, "quiet": True}
    jax, torch = (fanin.compare("4-3", "iris", engine=e, **settings) for e in ("jax", "torch"))
    assert abs(jax.dataset["loss"] - torch.dataset["loss"]).max() < 1e-5


def test_compare_takes_a_function() -> None:
    study = fanin.compare(
        MODEL, "iris", schemes="zeros, he_normal", repeats=2, epochs=1, quiet=True
    )
    assert study.dataset["loss"].shape == (2, 2, 2)
    assert study.design.network.endswith("<lambda>")
