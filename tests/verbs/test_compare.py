"""The verb `compare` from Python."""

import numpy as np
import pytest
import torch
from torch import nn

from fanin import compare, init_
from fanin.errors import FaninError
from fanin.schemes import he_normal, normal
from fanin.studies.grammar import Network
from fanin.studies.optimizer import Optimizer


def small(**changes):
    settings = {"schemes": "zeros, he_normal", "repeats": 3, "epochs": 2, "quiet": True}
    return compare("4-3", "iris", **{**settings, **changes})


def test_the_dataset():
    study = small()
    assert dict(study.dataset.sizes) == {"scheme": 2, "repeat": 3, "epoch": 3}
    assert study.dataset["seed"].values.tolist() == [0, 1, 2]
    table = study.to_dataframe()
    assert table.index.names == ["scheme", "metric"]
    assert ("he_normal", "held_out_accuracy") in table.index


def test_a_start_of_a_study_can_be_made_again():
    """The loss at step 0 of repeat 2 is the loss of a network that init_ starts with its seed."""
    from fanin.studies.data import load
    from fanin.torch.networks import FullyConnected

    data = load("iris")
    study = small(seed=5)
    model = FullyConnected(Network.parse("4-3"), "cross_entropy")
    init_(model, "he_normal", seed=7)
    with torch.no_grad():
        logits = model(torch.as_tensor(data.train.features))
    loss = nn.functional.cross_entropy(logits, torch.as_tensor(data.train.target))
    measured = study.dataset["loss"].sel(scheme="he_normal", repeat=2, epoch=0)
    # Two float32 means over 105 examples, summed in different orders.
    assert float(measured) == pytest.approx(float(loss), rel=1e-5)


def test_values_in_place_of_texts():
    study = compare(
        Network.parse("4-3"),
        "iris",
        schemes=[he_normal(), normal(std=0.01)],
        optimizer=Optimizer.parse("adam"),
        repeats=2,
        epochs=1,
        quiet=True,
    )
    assert study.design.schemes == ("he_normal", "normal(0, 0.01)")


def test_arrays_and_a_factory():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(60, 5)).astype(np.float32)
    study = compare(
        lambda: nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 1)),
        (features, features.sum(axis=1)),
        schemes="he_normal",
        repeats=2,
        epochs=1,
        quiet=True,
    )
    assert study.design.loss == "mse"
    assert list(study.dataset.data_vars) == ["loss", "held_out_loss"]


def test_the_process_is_left_alone():
    before = torch.get_rng_state()
    small()
    assert (torch.get_rng_state() == before).all()
    assert torch.is_grad_enabled()


def test_two_rates_are_refused():
    with pytest.raises(FaninError, match="two rates"):
        small(optimizer=Optimizer.parse("adam"), rate=0.1)


def test_a_model_in_place_of_a_function_is_told():
    with pytest.raises(FaninError, match="builds a model"):
        compare(nn.Linear(4, 3), "iris", schemes="zeros")
