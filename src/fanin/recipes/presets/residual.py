"""Recipes for residual networks without normalisation: branches that start as nothing, or nearly.

A sum of branches that each put out nothing is the identity, however deep it is, and its gradient is
whole. What is inside the branches is scaled so that the first steps are of the right size.
"""

import math

from fanin.recipes.network import KERNELS, Network, around
from fanin.recipes.rules import Decision, Recipe, Rule, tidy
from fanin.recipes.signal import feeding_gain
from fanin.recipes.slots import Role, Slot
from fanin.schemes import he_normal, lecun_normal, zeros
from fanin.trace import Place


def fixup() -> Recipe:
    """Fixup: head and branch ends at zero, the rest of a branch scaled by the number of branches.

    With L branches of m kernels each, the kernels inside them are He's times ``L**(-1/(2 m - 2))``.
    The scalars that Fixup adds to the model start at one (factors) and zero (biases). The authors'
    code takes fan_out; the fan here is that of the paper's equation, fan_in.

    Returns:
        The recipe.

    References:
        Zhang, Dauphin and Ma (2019), Fixup Initialization, arXiv 1901.09321, section 3.
    """
    return Recipe(
        "fixup",
        (
            Rule(
                zeros(),
                "writers: the last kernel of a branch starts at zero",
                role=KERNELS,
                place=Place.WRITER,
                essential=True,
            ),
            Rule(zeros(), "head: starts at zero", role=KERNELS, place=Place.LAST),
            Rule(_inside, "inside a branch", role=KERNELS, place=Place.BRANCH),
            Rule(he_normal(), "outside the branches: He", role=KERNELS),
        ),
        "Zhang, Dauphin and Ma (2019), arXiv 1901.09321, section 3",
        needs_trace=True,
        remarks=_norms,
    )


def rezero() -> Recipe:
    """ReZero: the factor on each branch starts at zero; kernels keep the size of what feeds them.

    The paper leaves the kernels to the usual rules; here each has variance ``gain**2 / fan_in``
    with the gain of the activation before it.

    Returns:
        The recipe.

    References:
        Bachlechner, Majumder, Mao, Cottrell and McAuley (2020), ReZero is All You Need, arXiv
        2003.04887, equation 2. De and Smith (2020), arXiv 2002.10444, is the same for batch norm.
    """
    return Recipe(
        "rezero",
        (
            Rule(
                zeros(),
                "branch scales: start at zero",
                role=Role.SCALE,
                place=Place.SCALE,
                essential=True,
            ),
            Rule(_preserving, "keeps the size of its signal", role=KERNELS),
        ),
        "Bachlechner et al. (2020), arXiv 2003.04887, equation 2",
        needs_trace=True,
    )


def _inside(slot: Slot, network: Network) -> Decision:
    branch = around(slot).branch
    kernels = 2 if branch is None else max(branch.kernels, 2)
    count = network.branches(slot)
    power = 2 * kernels - 2
    gain = math.sqrt(2) * count ** (-1 / power)
    reason = f"Fixup: He * {count} branches ** -1/{power}, for {kernels} kernels in a branch"
    return he_normal(tidy(gain)), reason


def _preserving(slot: Slot, _: Network) -> Decision:
    gain, words = feeding_gain(slot)
    return lecun_normal(gain), words


def _norms(network: Network) -> tuple[str, ...]:
    count = sum(slot.role is Role.NORM_GAIN for slot in network.slots)
    if not count:
        return ()
    return (f"fixup is for networks without norms, and this one has {count} norm gains",)
