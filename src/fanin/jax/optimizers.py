"""The update rules of a study by Optax, with the settings that make them its definitions."""

import optax

from fanin.studies.optimizer import Optimizer


def transformation(rule: Optimizer) -> optax.GradientTransformation:
    """Make the transformation of an update rule.

    All rules work element by element, so one serves the stacked parameters of all trainings.

    Args:
        rule: The update rule with its settings.

    Returns:
        What Optax updates with.

    Example:
        >>> import jax.numpy as jnp
        >>> update = transformation(Optimizer("sgd", rate=0.5))
        >>> weight = jnp.array([1.0])
        >>> step, _ = update.update(jnp.array([3.0]), update.init(weight), weight)
        >>> optax.apply_updates(weight, step).tolist()
        [-0.5]
    """
    match rule.name:
        case "sgd":
            return optax.sgd(rule.rate)
        case "momentum":
            return optax.sgd(rule.rate, momentum=rule.momentum)
        case "rmsprop":
            return optax.rmsprop(rule.rate, decay=rule.decay, eps=rule.epsilon, eps_in_sqrt=True)
        case "adam":
            return optax.adam(rule.rate, *rule.betas, eps=rule.epsilon)
        case _:
            return optax.adamw(
                rule.rate, *rule.betas, eps=rule.epsilon, weight_decay=rule.weight_decay
            )


MEMORIES = {"sgd": 0, "momentum": 1, "rmsprop": 1, "adam": 2, "adamw": 2}
"""How many numbers each rule remembers for a parameter."""
