"""The recipe of the house: every kernel keeps the size of its signal, as the traced graph tells.

Each kernel gets the gain of what feeds it, and orthogonal rows, whose lengths do not scatter. What
is written to a residual stream is divided by the root of the number of writers, so that the stream
grows by the same factor however many there are. The head starts small, so that the first loss is
that of knowing nothing. Gates start open, norms and biases neutral.
"""

import math

from fanin.recipes.companion import BESIDE
from fanin.recipes.network import KERNELS, Network, around
from fanin.recipes.rules import Decision, Recipe, Rule, tidy
from fanin.recipes.signal import feeding_gain
from fanin.recipes.slots import Role, Slot
from fanin.schemes import constant, forget_gate, normal, orthogonal, scaled_orthogonal
from fanin.theory import gain
from fanin.trace import Place

HEAD = 0.1
"""Gain of the head: logits of a tenth, whose loss is that of no knowledge to within 1 percent."""


def auto() -> Recipe:
    """Keep the size of the signal from the input to the head, by what the trace of a batch shows.

    Returns:
        The recipe.

    References:
        He, Zhang, Ren and Sun (2015), equations 7 to 10, for gains by activation; Martens et al.
        (2021), arXiv 2110.01765, for scaled orthogonal kernels; Hanin and Rolnick (2018), arXiv
        1803.01719, for residual branches; Jozefowicz et al. (2015), section 3.2, for forget gates.
    """
    return Recipe(
        "auto",
        (
            Rule(forget_gate(), "forget gates start open", Role.BIAS, None, "*bias_ih*", "LSTM*"),
            Rule(_writer, "residual writer", KERNELS, Place.WRITER),
            Rule(_head, "head", KERNELS, Place.LAST),
            Rule(_kernel, "keeps the size of its signal", KERNELS),
            Rule(_norm_writer, "norm gain that ends a branch", Role.NORM_GAIN, Place.WRITER),
            Rule(_scale, "branch scale", Role.SCALE, Place.SCALE),
            BESIDE,
            Rule(normal(0, 1), "embedding: a signal of unit size", Role.EMBEDDING),
        ),
        "fanin: gains of He et al. (2015), orthogonal rows, branches by their number",
        needs_trace=True,
    )


def _kernel(slot: Slot, _: Network) -> Decision:
    if slot.recurrent:
        return orthogonal(), "recurrent kernel: orthogonal"
    number, words = feeding_gain(slot)
    return scaled_orthogonal(number), words


def _writer(slot: Slot, network: Network) -> Decision:
    if network.scaled(around(slot).branch):
        return _kernel(slot, network)
    number, words = feeding_gain(slot)
    plain = gain(number) if isinstance(number, str) else number
    count = network.branches(slot)
    made = scaled_orthogonal(tidy(plain / math.sqrt(count)))
    return made, f"{words}, over sqrt({count} branches)"


def _head(slot: Slot, network: Network) -> Decision:
    if _is_embedding(slot, network):
        return scaled_orthogonal(), "head that is an embedding too: unit logits"
    return scaled_orthogonal(HEAD), "head: small, so that the first loss is that of no knowledge"


def _is_embedding(slot: Slot, network: Network) -> bool:
    whole = network.slot(slot.name)
    return any(use.role is Role.EMBEDDING for use in (whole, *whole.uses))


def _norm_writer(slot: Slot, network: Network) -> Decision:
    count = network.branches(slot)
    value = 0.0 if slot.one_plus else 1.0
    if count == 1 or network.scaled(around(slot).branch):
        return constant(value), "norm gain: starts neutral"
    return constant(tidy(value - 1 + count**-0.5)), f"ends a branch: over sqrt({count} branches)"


def _scale(slot: Slot, network: Network) -> Decision:
    count = network.branches(slot)
    return constant(tidy(count**-0.5)), f"branch scale: 1 / sqrt({count} branches)"
