"""Recipes with an idea of their own: no chance at all, width, and waves."""

import math

from fanin.recipes.companion import BESIDE, SMALL
from fanin.recipes.network import KERNELS, Network, around
from fanin.recipes.rules import Decision, Recipe, Rule, tidy, written
from fanin.recipes.slots import Role, Slot
from fanin.schemes import hadamard, lecun_normal, lecun_uniform, uniform, zeros
from fanin.trace import Place


def zero() -> Recipe:
    """ZerO: zeros and ones. Identities, Hadamard matrices where a layer widens, branch ends zero.

    The paper speaks of kernels only: embeddings are drawn, small.

    Returns:
        The recipe.

    References:
        Zhao, Schaefer and Anandkumar (2022), ZerO Initialization, arXiv 2110.12661, algorithms 1
        and 2.
    """
    return Recipe(
        "zero",
        (
            Rule(
                zeros(),
                "writers: the last kernel of a branch starts at zero",
                role=KERNELS,
                place=Place.WRITER,
            ),
            BESIDE,
            Rule(hadamard(), "the identity, or a Hadamard matrix to widen", role=KERNELS),
            Rule(SMALL, "embedding: small, the paper has none", role=Role.EMBEDDING),
        ),
        "Zhao, Schaefer and Anandkumar (2022), arXiv 2110.12661, algorithms 1 and 2",
        needs_trace=True,
    )


def mup(base_width: float = 256.0) -> Recipe:
    """The maximal update parametrisation: what is tuned at one width holds at every other.

    Hidden kernels have variance ``1 / fan_in``, input kernels and embeddings the variance of their
    own fan, and the head ``base_width / fan_in**2``, so that at the base width it is as any other
    kernel. Under Adam the learning rate of hidden kernels and of the head must be scaled too, and
    attention must divide by the width of a head, which a note tells.

    Args:
        base_width: The `fan_in` of the head at which the learning rate was tuned.

    Returns:
        The recipe.

    References:
        Yang, Hu, Babuschkin, Sidor, Liu, Farhi, Ryder, Pachocki, Chen and Gao (2022), Tensor
        Programs V, arXiv 2203.03466, table 3.
    """

    def head(slot: Slot, _: Network) -> Decision:
        width = slot.fans.fan_in if slot.fans is not None else base_width
        reason = f"head: sqrt({base_width:g}) / {width:g}"
        return lecun_normal(tidy(math.sqrt(base_width / width))), reason

    rates = (
        "mup sets weights only: under Adam, multiply the learning rate of hidden kernels and the "
        f"head by {base_width:g} / fan_in, and divide the logits of an attention by the width of "
        "its heads"
    )
    return Recipe(
        written("mup", base_width=base_width),
        (
            BESIDE,
            Rule(head, "the head", role=KERNELS, place=Place.LAST, essential=True),
            Rule(lecun_normal(), "input: variance 1 / fan_in", role=KERNELS, place=Place.FIRST),
            Rule(lecun_normal(), "hidden: variance 1 / fan_in", role=KERNELS),
            Rule(lecun_normal(), "input: one row is read, so fan_in is 1", role=Role.EMBEDDING),
        ),
        "Yang et al. (2022), Tensor Programs V, arXiv 2203.03466, table 3",
        needs_trace=True,
        remarks=lambda _: (rates,),
    )


def siren(omega: float = 30.0) -> Recipe:
    """Networks of sines: the first layer spans its frequencies, the others keep the size.

    Layers compute ``sin(omega * (W x + b))``. The first W is even up to ``1 / fan_in``, the others
    up to ``sqrt(6 / fan_in) / omega``, and biases up to ``1 / sqrt(fan_in)``, as in the authors'
    code.

    Args:
        omega: The factor inside the sines.

    Returns:
        The recipe.

    References:
        Sitzmann, Martel, Bergman, Lindell and Wetzstein (2020), Implicit Neural Representations
        with Periodic Activation Functions, arXiv 2006.09661, section 3.2.
    """
    hidden = lecun_uniform(tidy(math.sqrt(2) / omega))
    return Recipe(
        written("siren", omega=omega),
        (
            Rule(_even, "first layer", role=KERNELS, place=Place.FIRST, essential=True),
            Rule(hidden, f"even up to sqrt(6 / fan_in) / {omega:g}", role=KERNELS),
            Rule(_even_bias, "bias", role=Role.BIAS),
        ),
        "Sitzmann et al. (2020), arXiv 2006.09661, section 3.2",
        needs_trace=True,
        remarks=_without_sines,
    )


def _even(slot: Slot, _: Network) -> Decision:
    fan_in = slot.fans.fan_in if slot.fans is not None else 1.0
    bound = tidy(1 / fan_in)
    return uniform(-bound, bound), f"first layer: even up to 1 / {fan_in:g}"


def _even_bias(slot: Slot, _: Network) -> Decision:
    if slot.fans is None or not slot.fans.fan_in:
        return zeros(), "bias: starts at zero"
    bound = tidy(slot.fans.fan_in**-0.5)
    return uniform(-bound, bound), "bias: even up to 1/sqrt(fan_in)"


def _without_sines(network: Network) -> tuple[str, ...]:
    if any(around(view).fed_by == "sin" for view in network.views):
        return ()
    return ("siren is for layers of sin(omega * z), and no kernel of this network is fed by one",)
