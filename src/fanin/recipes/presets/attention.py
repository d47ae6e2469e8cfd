"""Kernels of an attention: those that say where to look, and those that carry what is written.

The three may share one tensor, as three equal blocks in the order query, key, value. A recipe that
scales the value alone must find it in there.
"""

from fanin.recipes.network import around
from fanin.recipes.rules import Decision
from fanin.recipes.slots import Slot
from fanin.schemes import Scheme, blocks
from fanin.trace import Place

LOOKING = (Place.QUERY, Place.KEY)


def by_block(slot: Slot, looking: Scheme, carrying: Scheme, words: str) -> Decision:
    """Give query and key one scheme, and all else another.

    Args:
        slot: A kernel in a branch.
        looking: For query and key.
        carrying: For values, attention outputs and feed-forward kernels.
        words: The formula, for the reason.

    Returns:
        The scheme: one of the two, or blocks of both for a kernel that makes them all; and the
        reason.
    """
    places = around(slot).places
    looks = [place for place in LOOKING if place in places]
    if not looks:
        return carrying, f"carries values: {words}"
    if Place.VALUE not in places:
        return looking, "query or key: as it is"
    count = len(looks) + 1
    if not _cut(slot, count):
        return carrying, f"query, key and value in unequal parts, all as the value: {words}"
    return blocks((*(looking,) * len(looks), carrying)), f"its last block carries values: {words}"


def _cut(slot: Slot, count: int) -> bool:
    """Tell whether a kernel is so many equal blocks.

    Where the layout does not say, three times as many outputs as inputs are query, key and value of
    the same width; grouped queries have fewer keys than queries.
    """
    layout = slot.layout
    if layout is None or layout.groups > 1:
        return False
    if layout.blocks > 1:
        return layout.blocks == count
    _, outputs, inputs, _ = layout.stack(slot.shape)
    return outputs == count * inputs
