"""What a rule may ask about the network as a whole.

A formula such as ``0.02 / sqrt(branches)`` needs more than its own parameter: how many branches
write to the stream, how many layers there are, which of two streams decodes. All of it is counted
here from the slots, so that every recipe means the same by it.
"""

from dataclasses import dataclass
from functools import cached_property

from fanin.errors import FaninError, nearest
from fanin.recipes.slots import Role, Slot
from fanin.trace import Branch, Place, Surroundings

KERNELS = (Role.KERNEL, Role.HEAD, Role.GATE)
"""Roles of what is summed over."""

NOWHERE = Surroundings()
"""The surroundings of a parameter that no trace has seen."""


@dataclass(frozen=True)
class Stream:
    """A residual stream, as the writers to it tell.

    Attributes:
        index: Its number, in the order of execution.
        branches: How many branches write to it.
        attentions: How many of them end in the kernel behind an attention.
    """

    index: int
    branches: int
    attentions: int

    @property
    def crossed(self) -> bool:
        """Whether each layer has a second attention, which reads another stream: a decoder."""
        return self.branches > 0 and 3 * self.attentions == 2 * self.branches

    @property
    def layers(self) -> int:
        """How many layers it has: two branches in a transformer's (three if crossed), else one."""
        if self.crossed:
            return self.branches // 3
        return self.attentions or self.branches


@dataclass(frozen=True)
class Network:
    """All parameters of a model, with what can be counted on them.

    Attributes:
        slots: The parameters, in the order of the model.

    Example:
        >>> writer = Surroundings(places=frozenset({Place.WRITER}), branch=Branch(0, 0, 4, 2))
        >>> kernel = Slot("w", (4, 4), Role.KERNEL, None, None, "Linear", around=writer)
        >>> network = Network((kernel,))
        >>> network.branches(kernel), network.streams[0].layers
        (4, 4)
    """

    slots: tuple[Slot, ...]

    @cached_property
    def views(self) -> tuple[Slot, ...]:
        """Every use of every parameter, each as a slot."""
        return tuple(view for slot in self.slots for view in (slot, *slot.uses))

    @cached_property
    def traced(self) -> bool:
        """Whether the network was run: without that, no place and no branch is known."""
        return any(view.around is not None for view in self.views)

    @cached_property
    def streams(self) -> tuple[Stream, ...]:
        """The residual streams, in the order of execution."""
        found = dict[int, dict[int, bool]]()
        count = dict[int, int]()
        for view in self.views:
            branch = around(view).branch
            if branch is None:
                continue
            count[branch.stream] = max(branch.of, count.get(branch.stream, 0))
            attends = found.setdefault(branch.stream, {})
            here = view.role in KERNELS and stands(view, Place.ATTENTION_OUTPUT)
            attends[branch.index] = attends.get(branch.index, False) or here
        return tuple(
            Stream(index, count[index], sum(found[index].values())) for index in sorted(found)
        )

    def slot(self, name: str) -> Slot:
        """Look up a parameter by any of its names.

        Args:
            name: Such as ``"head.weight"``.

        Returns:
            The parameter.

        Raises:
            FaninError: No parameter has that name.
        """
        if name not in self._by_name:
            raise FaninError(f"there is no parameter {name!r}{nearest(name, self._by_name)}")
        return self._by_name[name]

    def branches(self, slot: Slot) -> int:
        """Count the branches that write to the stream a parameter belongs to.

        Args:
            slot: The parameter.

        Returns:
            Their number; 1 for a parameter outside of all branches.
        """
        branch = around(slot).branch
        return branch.of if branch is not None else 1

    def stream(self, slot: Slot) -> Stream | None:
        """Find the stream that the branch of a parameter writes to.

        Args:
            slot: The parameter.

        Returns:
            The stream; None for a parameter outside of all branches.
        """
        branch = around(slot).branch
        if branch is None:
            return None
        return next(stream for stream in self.streams if stream.index == branch.stream)

    def scaled(self, branch: Branch | None) -> bool:
        """Tell whether a branch has a factor of its own on all that it puts out.

        Args:
            branch: The branch, or None.

        Returns:
            Whether a parameter stands as the scale of that very branch.
        """
        return branch is not None and (branch.stream, branch.index) in self._scaled

    @cached_property
    def _by_name(self) -> dict[str, Slot]:
        return {name: slot for slot in self.slots for name in slot.names}

    @cached_property
    def _scaled(self) -> frozenset[tuple[int, int]]:
        branches = [around(view).branch for view in self.views if stands(view, Place.SCALE)]
        return frozenset((branch.stream, branch.index) for branch in branches if branch is not None)


def around(slot: Slot) -> Surroundings:
    """Give the surroundings of a parameter.

    Args:
        slot: The parameter.

    Returns:
        What the trace found; nothing at all where there was none.
    """
    return NOWHERE if slot.around is None else slot.around


def stands(slot: Slot, *places: Place) -> bool:
    """Tell whether a parameter stands in one of some places.

    Args:
        slot: The parameter.
        *places: The places.

    Returns:
        Whether the trace found it in at least one of them.
    """
    return not around(slot).places.isdisjoint(places)
