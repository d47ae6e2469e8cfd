"""Recipes of one scheme for every kernel: the rules of variance scaling, and the lecture's."""

from dataclasses import replace

from fanin.recipes.companion import recipe_of
from fanin.recipes.network import KERNELS, Network, around
from fanin.recipes.rules import Recipe, written
from fanin.schemes import Scheme, glorot_uniform, he_normal, lecun_normal, normal


def he() -> Recipe:
    """Variance 2 / fan_in for every kernel: made for relu.

    Returns:
        The recipe.

    References:
        He, Zhang, Ren and Sun (2015), Delving Deep into Rectifiers, equation 10.
    """
    return _of("he", he_normal(), "He, Zhang, Ren and Sun (2015), equation 10")


def glorot() -> Recipe:
    """Even, with variance 2 / (fan_in + fan_out), for every kernel: made for tanh.

    Returns:
        The recipe.

    References:
        Glorot and Bengio (2010), Understanding the difficulty of training deep feedforward neural
        networks, equation 16.
    """
    return _of("glorot", glorot_uniform(), "Glorot and Bengio (2010), equation 16")


def lecun() -> Recipe:
    """Variance 1 / fan_in for every kernel.

    Returns:
        The recipe.

    References:
        LeCun, Bottou, Orr and Mueller (1998), Efficient BackProp, section 4.6, equation 16.
    """
    return _of("lecun", lecun_normal(), "LeCun, Bottou, Orr and Mueller (1998), equation 16")


def selu() -> Recipe:
    """Self-normalising networks: variance 1 / fan_in, with selu as the activation.

    Returns:
        The recipe.

    References:
        Klambauer, Unterthiner, Mayr and Hochreiter (2017), Self-Normalizing Neural Networks, arXiv
        1706.02515, section 2.
    """
    made = _of("selu", lecun_normal(), "Klambauer et al. (2017), arXiv 1706.02515, section 2")
    return replace(made, remarks=_other_activations)


def lecture(std: float = 0.01) -> Recipe:
    """Small random numbers, the same for every layer: what lectures begin with, and then mend.

    Args:
        std: Standard deviation.

    Returns:
        The recipe.

    References:
        Krizhevsky, Sutskever and Hinton (2012), ImageNet Classification with Deep Convolutional
        Neural Networks, section 5: a Gaussian of standard deviation 0.01.
    """
    name = written("lecture", std=std)
    return _of(name, normal(0, std), "Krizhevsky, Sutskever and Hinton (2012), section 5")


def _of(name: str, scheme: Scheme, source: str) -> Recipe:
    return replace(recipe_of(scheme), name=name, source=source)


def _other_activations(network: Network) -> tuple[str, ...]:
    """Tell which other activations a network has; the proof does not cover them."""
    fed = {around(view).fed_by for view in network.views if view.role in KERNELS}
    others = sorted(fed & {"relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid", "elu"})
    if not others:
        return ()
    return (f"selu is for networks with the activation selu, and this one has {', '.join(others)}",)
