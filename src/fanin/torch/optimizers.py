"""The update rules of a study, each as the arithmetic of one step.

All rules work element by element, so one call updates the stacked parameters of all trainings as if
each were alone. They are written out here because the definitions of a study are not all torch's
(epsilon of RMSprop), and because the first use of `torch.optim` imports the compiler: a second or
two, which is longer than many a study takes.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from fanin.studies.optimizer import Optimizer

Update = Callable[[Tensor, Tensor, Sequence[Tensor], Optimizer, int], None]
"""Changes a weight and the state of its rule in place; takes the gradient and the step, from 1."""


class Updater:
    """Updates some parameters by a rule, in place.

    Args:
        rule: The update rule with its settings.
        parameters: Leaf tensors, of floating dtype; their gradients are read and then dropped.

    Example:
        >>> weight = torch.tensor([1.0], requires_grad=True)
        >>> updater = Updater(Optimizer("sgd", rate=0.5), [weight])
        >>> torch.autograd.backward((3 * weight).sum())
        >>> updater.step()
        >>> weight.detach(), weight.grad
        (tensor([-0.5000]), None)
    """

    def __init__(self, rule: Optimizer, parameters: Sequence[Tensor]) -> None:
        self._rule = rule
        self._update, count = RULES[rule.name]
        self._states = [
            (weight, [torch.zeros_like(weight) for _ in range(count)]) for weight in parameters
        ]
        self._steps = 0

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter that has a gradient."""
        self._steps += 1
        for weight, state in self._states:
            if weight.grad is not None:
                self._update(weight, weight.grad, state, self._rule, self._steps)
                weight.grad = None

    def state(self) -> tuple[int, list[Tensor]]:
        """Tell what is remembered.

        Returns:
            The steps taken, and the tensors themselves, those of a parameter one after the other.
        """
        return self._steps, [values for _, state in self._states for values in state]

    @torch.no_grad()
    def resume(self, steps: int, memory: Sequence[Tensor]) -> None:
        """Remember what another updater of the same rule has.

        Args:
            steps: The steps taken.
            memory: Tensors in the order of `state`, of the shapes of these parameters.
        """
        self._steps = steps
        for own, values in zip(self.state()[1], memory, strict=True):
            own.copy_(values)


def _sgd(w: Tensor, g: Tensor, state: Sequence[Tensor], rule: Optimizer, step: int) -> None:
    del state, step
    w.add_(g, alpha=-rule.rate)


def _momentum(w: Tensor, g: Tensor, state: Sequence[Tensor], rule: Optimizer, step: int) -> None:
    """The velocity of Sutskever, Martens, Dahl and Hinton (2013), the rate outside, as in torch."""
    del step
    (velocity,) = state
    w.add_(velocity.mul_(rule.momentum).add_(g), alpha=-rule.rate)


def _rmsprop(w: Tensor, g: Tensor, state: Sequence[Tensor], rule: Optimizer, step: int) -> None:
    """Tieleman and Hinton (2012), lecture 6.5, epsilon inside the root as in Keras 3."""
    del step
    (square,) = state
    square.mul_(rule.decay).addcmul_(g, g, value=1 - rule.decay)
    w.addcdiv_(g, (square + rule.epsilon).sqrt_(), value=-rule.rate)


def _adam(w: Tensor, g: Tensor, state: Sequence[Tensor], rule: Optimizer, step: int) -> None:
    """Kingma and Ba (2015), algorithm 1, the two corrections taken out of the element's sum."""
    mean, square = state
    first, second = rule.betas
    mean.lerp_(g, 1 - first)
    square.mul_(second).addcmul_(g, g, value=1 - second)
    root = math.sqrt(1 - second**step)
    size = rule.rate * root / (1 - first**step)
    w.addcdiv_(mean, square.sqrt().add_(rule.epsilon * root), value=-size)


def _adamw(w: Tensor, g: Tensor, state: Sequence[Tensor], rule: Optimizer, step: int) -> None:
    """Loshchilov and Hutter (2019), algorithm 2, the decay scaled by the rate, as in torch."""
    w.mul_(1 - rule.rate * rule.weight_decay)
    _adam(w, g, state, rule, step)


RULES: dict[str, tuple[Update, int]] = {
    "sgd": (_sgd, 0),
    "momentum": (_momentum, 1),
    "rmsprop": (_rmsprop, 1),
    "adam": (_adam, 2),
    "adamw": (_adamw, 2),
}
"""The update of each rule, and how many numbers it remembers for each parameter."""
