"""What the parameters that are not kernels get, when a person names a scheme for the kernels.

A scheme such as `he_normal` speaks of weights that are summed over. Biases, gains and offsets are
none: they get the value that leaves the signal alone. The three frameworks' defaults are a habit
of the whole layer instead, and bring their own values for biases, embeddings and recurrent weights.
"""

import math

from fanin.recipes.network import stands
from fanin.recipes.rules import Decision, Recipe, Rule
from fanin.recipes.slots import Role, Slot
from fanin.schemes import Scheme, normal, ones, orthogonal, uniform, zeros
from fanin.trace import Place

NEUTRAL: dict[Role, Decision] = {
    Role.BIAS: (zeros(), "bias: starts at zero"),
    Role.NORM_GAIN: (ones(), "norm gain: starts at one"),
    Role.NORM_OFFSET: (zeros(), "norm offset: starts at zero"),
    Role.SCALE: (ones(), "scale: starts at one"),
}
"""Values that let the signal through as if the parameter were not there."""

SMALL = normal(0, 0.02)
"""What is added to or put beside a signal that needs none of it: positions, class tokens."""

BESIDE = Rule(SMALL, "small beside the signal it joins", place=(Place.POSITION, Place.TOKEN))
"""For recipes that speak of embeddings, and mean those that are the signal itself."""

FRAMEWORKS = {"torch_default": "torch", "keras_default": "Keras", "jax_default": "Flax"}


def recipe_of(scheme: Scheme) -> Recipe:
    """Make the recipe that a scheme alone stands for.

    Args:
        scheme: The scheme of the kernels.

    Returns:
        The recipe that gives it to the kernels, and `companion` to the rest.
    """
    known = tuple(role for role in Role if role is not Role.OTHER)
    rule = Rule(lambda slot, _: companion(scheme, slot), f"{scheme} for the kernels", role=known)
    return Recipe(str(scheme), (rule,), "the scheme itself")


def neutral(slot: Slot) -> Decision | None:
    """Choose the scheme of a parameter that only has to let the signal through.

    Args:
        slot: The parameter.

    Returns:
        The scheme and the reason; None for a parameter that has to be asked for.

    Example:
        >>> gain = Slot("norm.weight", (8,), Role.NORM_GAIN, None, None, "LayerNorm")
        >>> str(neutral(gain)[0])
        'ones'
    """
    if slot.role is Role.OTHER and slot.native is not None:
        return slot.native, f"{slot.module}: keeps the value of its definition"
    if slot.role is Role.NORM_GAIN and slot.one_plus:
        return zeros(), "norm gain that is kept as 1 + w: starts at zero"
    if slot.role in NEUTRAL:
        return NEUTRAL[slot.role]
    if slot.role is Role.POSITIONAL or stands(slot, Place.POSITION):
        return SMALL, "position: small beside what it is added to"
    if stands(slot, Place.TOKEN):
        return SMALL, "token: one further position, as small as positions are"
    return None


def companion(scheme: Scheme, slot: Slot) -> Decision:
    """Choose the scheme of a parameter, given the one for the kernels.

    Keras's LSTM also starts the forget gates' bias at one; here every bias starts at zero.

    Args:
        scheme: What the person asked for.
        slot: The parameter.

    Returns:
        The scheme for it, and the reason in a few words.

    Example:
        >>> from fanin.schemes import Fans, he_normal
        >>> bias = Slot("0.bias", (10,), Role.BIAS, None, Fans(64, 10), "Linear")
        >>> scheme, reason = companion(he_normal(), bias)
        >>> str(scheme), reason
        ('zeros', 'bias: starts at zero')

    References:
        Paszke et al. (2019), PyTorch: `reset_parameters` of the layers in torch.nn 2.13.
        Chollet et al., Keras 3: the layers' default initialisers. Heek et al., Flax 0.12: those of
        `flax.nnx.nn` (`Embed` draws with variance 1 / features).
    """
    framework = FRAMEWORKS.get(str(scheme))
    habit = _habit(framework, slot) if framework is not None else None
    if habit is not None:
        return habit
    plain = neutral(slot)
    if plain is not None:
        return plain
    if slot.role is Role.EMBEDDING:
        return scheme, f"embedding of {slot.module}: one row is read, so fan_in is 1"
    return scheme, f"{'recurrent ' * slot.recurrent}{slot.role} of {slot.module}"


def _habit(framework: str, slot: Slot) -> Decision | None:
    """Find what a framework's layer does differently, or None where the general answer holds."""
    if slot.role is Role.OTHER:
        return None
    if framework == "torch":
        if slot.native is not None:
            return slot.native, f"as {slot.module} starts it in torch"
        if slot.role is Role.BIAS and slot.fans is not None and slot.fans.fan_in > 0:
            bound = 1 / math.sqrt(slot.fans.fan_in)
            return uniform(-bound, bound), "torch's bias: uniform up to 1/sqrt(fan_in)"
        if _is_table(slot):
            return normal(0, 1), "torch's embedding: standard normal"
        return None
    if slot.recurrent:
        return orthogonal(), f"{framework}'s recurrent kernel: orthogonal, each gate on its own"
    if _is_table(slot):
        if framework == "Keras":
            return uniform(-0.05, 0.05), "Keras's embedding: uniform(-0.05, 0.05)"
        width = slot.fans.fan_out if slot.fans is not None else 1.0
        return normal(0, 1 / math.sqrt(width)), "Flax's embedding: variance 1/features"
    return None


def _is_table(slot: Slot) -> bool:
    """Tell an embedding, also one of positions, from a parameter that is added or joined as is."""
    if slot.role is Role.EMBEDDING:
        return not stands(slot, Place.TOKEN)
    return slot.role is Role.POSITIONAL and slot.layout is not None and slot.layout.lookup
