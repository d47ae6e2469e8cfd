"""The recipe of the house: every kernel keeps the size of its signal, as the traced graph tells.

Each kernel gets the gain of what feeds it, and orthogonal rows, whose lengths do not scatter; deep
plain stacks get what `fanin.recipes.stacks` says. What is written to a residual stream is divided
by the root of the number of writers, so that the stream grows by the same factor however many there
are. A head that predicts numbers starts small, so that the first error is that of knowing nothing;
one that predicts classes starts with unit logits. Gates start open, norms and biases neutral.
"""

from dataclasses import replace

from fanin.recipes.companion import BESIDE
from fanin.recipes.network import KERNELS, Network, around
from fanin.recipes.rules import Decision, Recipe, Rule, tidy
from fanin.recipes.signal import feeding_gain
from fanin.recipes.slots import Role, Slot
from fanin.recipes.stacks import stacked
from fanin.schemes import (
    Scheme,
    chrono,
    constant,
    forget_gate,
    normal,
    orthogonal,
    rescaled,
    scaled_orthogonal,
)
from fanin.trace import Place

NUMBERS = 0.1
"""Gain of a head that predicts numbers: its squared error is that of predicting 0 to within 1
percent, where a unit head would double it. Unit logits of C classes start near ln C, 0.5 above it
at most, and the layers below learn faster than behind a small head (docs/auto.md)."""


LONG = 10
"""Time steps from which forget gates are spread over times: below, a bias of 1 holds them all."""


def auto() -> Recipe:
    """Keep the size of the signal from the input to the head, by what the trace of a batch shows.

    Returns:
        The recipe.

    References:
        He, Zhang, Ren and Sun (2015), equations 7 to 10, for gains by activation; Martens et al.
        (2021), arXiv 2110.01765, for scaled orthogonal kernels; Hanin and Rolnick (2018), arXiv
        1803.01719, for residual branches; Jozefowicz et al. (2015), section 3.2, and Tallec and
        Ollivier (2018), arXiv 1804.11188, equation 16, for forget gates.
    """
    return Recipe(
        "auto",
        (
            Rule(_memory, "forget gates start open", Role.BIAS, None, "*bias_ih*", "LSTM*"),
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


def _memory(slot: Slot, _: Network) -> Decision:
    steps = around(slot).steps
    if steps < LONG:
        return forget_gate(), "forget gates start open"
    return chrono(float(steps)), f"forget gates remember for up to all {steps} steps"


def _kernel(slot: Slot, network: Network) -> Decision:
    if slot.recurrent:
        return orthogonal(), "recurrent kernel: orthogonal"
    special = stacked(slot, network)
    if special is not None:
        return special
    number, words = feeding_gain(slot)
    return scaled_orthogonal(number), words


def _writer(slot: Slot, network: Network) -> Decision:
    scheme, words = _kernel(slot, network)
    count = network.branches(slot)
    if count == 1 or network.scaled(around(slot).branch):
        return scheme, words
    return _smaller(scheme, count**-0.5), f"{words}, over sqrt({count} branches)"


def _head(slot: Slot, network: Network) -> Decision:
    if _is_embedding(slot, network):
        return scaled_orthogonal(), "head that is an embedding too: unit logits"
    scheme, words = _kernel(slot, network)
    if around(slot).regression:
        return _smaller(scheme, NUMBERS), f"head, {words}; small, so that the error starts low"
    return scheme, f"head, {words}"


def _smaller(scheme: Scheme, factor: float) -> Scheme:
    """Multiply a scheme that has a gain, which is then read and typed with ease."""
    made = rescaled(scheme, factor)
    return replace(made, gain=tidy(vars(made)["gain"])) if "gain" in vars(made) else made


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
