"""Losses and hits against their definitions in float64 NumPy, and at the far ends of the logits."""

import numpy as np
import pytest
import torch

from fanin.torch.objectives import example_losses, hits

LOGITS = torch.randn(2, 3, 7, 4, generator=torch.Generator().manual_seed(0))
CLASSES = torch.randint(0, 4, (2, 1, 7), generator=torch.Generator().manual_seed(1))


def test_cross_entropy_is_the_log_of_the_softmax() -> None:
    z = LOGITS.numpy().astype(np.float64)
    chances = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    wanted = np.broadcast_to(CLASSES.numpy(), z.shape[:-1])
    expected = -np.log(np.take_along_axis(chances, wanted[..., None], -1)[..., 0])
    got = example_losses("cross_entropy", LOGITS, CLASSES)
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_binary_cross_entropy_is_the_log_of_the_sigmoid() -> None:
    z = LOGITS[..., :1].numpy().astype(np.float64)[..., 0]
    truth = (CLASSES % 2).numpy()
    chance = 1 / (1 + np.exp(-z))
    expected = -(truth * np.log(chance) + (1 - truth) * np.log(1 - chance))
    got = example_losses("bce", LOGITS[..., :1], CLASSES % 2)
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_a_sure_logit_keeps_its_loss() -> None:
    """The sigmoid of 200 is 1 in any float; the loss of a wrong answer is still 200."""
    logits = torch.tensor([[200.0], [-200.0]])
    assert example_losses("bce", logits, torch.tensor([0, 1])).tolist() == [200.0, 200.0]
    assert example_losses("bce", logits, torch.tensor([1, 0])).tolist() == [0.0, 0.0]


def test_mean_squared_error_is_a_mean_over_outputs() -> None:
    outputs, values = LOGITS, torch.randn(2, 1, 7, 4, generator=torch.Generator().manual_seed(2))
    expected = ((outputs.numpy() - values.numpy()) ** 2).mean(-1)
    np.testing.assert_allclose(example_losses("mse", outputs, values), expected, rtol=1e-5)


@pytest.mark.parametrize("width", [1, 2])
def test_mean_squared_error_of_two_classes(width: int) -> None:
    """One output is held to 0 or 1, two to one-hot; the same guess has the same loss."""
    chance = torch.tensor([0.25, 0.75])
    outputs = chance[:, None] if width == 1 else torch.stack([1 - chance, chance], -1)
    losses = example_losses("mse", outputs, torch.tensor([0, 0]))
    assert losses.tolist() == pytest.approx([0.0625, 0.5625])
    assert hits("mse", outputs, torch.tensor([0, 0])).tolist() == [True, False]


def test_hits_of_logits() -> None:
    assert hits("bce", torch.tensor([[-1e-9], [1e-9]]), torch.tensor([0, 0])).tolist() == [
        True,
        False,
    ]
    expected = LOGITS.numpy().argmax(-1) == CLASSES.numpy()
    assert (hits("cross_entropy", LOGITS, CLASSES).numpy() == expected).all()
