"""What happened to each piece of memory, and which memory it was made from.

Memory is told by its storage, which views share. A storage is watched by a weak reference, so that
nothing is kept alive and no address is mistaken for an earlier one.
"""

import hashlib
import math
import weakref
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.parameter import is_lazy

from fanin.births import Allocation, Snapshot, Write
from fanin.torch.callers import Caller

WHOLE = 2**18
"""Elements up to which a fingerprint takes all of them; of more it takes evenly spread ones too."""


@dataclass
class History:
    """One storage.

    Attributes:
        reference: Weak reference to it, which also keeps its number from being used again.
        allocation: Where it came from; None where that was not seen.
        writes: Every write so far. The last may wait for its figures.
        parents: Numbers of the storages that its values were made from.
        poisoned: Whether it may hold memory that nobody wrote.
        holders: The parameters that were written through it, by weak reference.
        derived: Whether it was made from other memory by an operation.
        inner: Whether a function of `torch.nn.init` wrote to it on the way to another tensor.
        inherited: How many of the writes were made to the memory that it was copied from.
        read: Whether an operation has used its values since they were last written.
        exposed: Who let NumPy look into it, until that is looked at.
        call: Number of the call of a function of `torch.nn.init` that wrote last; 0 for none.
    """

    reference: StorageWeakRef
    allocation: Allocation | None = None
    writes: list[Write] = field(default_factory=list[Write])
    parents: set[int] = field(default_factory=set[int])
    poisoned: bool = False
    holders: list[weakref.ref[Tensor]] = field(default_factory=list[weakref.ref[Tensor]])
    derived: bool = False
    inner: bool = False
    inherited: int = 0
    read: bool = False
    exposed: Caller | None = None
    call: int = 0

    @property
    def stream(self) -> str:
        """Fingerprint of the generator behind the last draw that went into it."""
        return next((write.stream for write in reversed(self.writes) if write.stream), "")

    @property
    def copied(self) -> bool:
        """Whether it was made as a copy of other memory, or of some elements of it."""
        made = "" if self.allocation is None else self.allocation.function
        return self.derived and any(word in made for word in ("clone", "index", "copy", "select"))

    def hold(self, parameter: Tensor) -> None:
        """Remember a parameter that was written through this memory.

        Args:
            parameter: The parameter.
        """
        if not any(known() is parameter for known in self.holders):
            self.holders.append(weakref.ref(parameter))


PENDING = Snapshot(math.nan, math.nan, math.nan, math.nan, 0.0, "")
"""Stands for figures that are taken when the memory is written next, or at the end."""


class Histories:
    """All storages of a build."""

    def __init__(self) -> None:
        self.by_number = dict[int, History]()

    def number(self, tensor: Tensor) -> int | None:
        """Tell the number of a tensor's storage.

        Args:
            tensor: Any tensor.

        Returns:
            The number; None for a tensor without memory of its own.
        """
        if is_lazy(tensor) or tensor.is_meta or tensor.is_nested:
            return None
        if tensor.layout is not torch.strided:
            return None
        try:
            storage: Any = tensor.untyped_storage()
        except (RuntimeError, NotImplementedError):
            return None
        number: int = storage._cdata  # noqa: SLF001  # what StorageWeakRef goes by as well
        if number not in self.by_number:
            self.by_number[number] = History(StorageWeakRef(storage))
        return number

    def find(self, tensor: Tensor) -> History | None:
        """Find the history of a tensor's memory.

        Args:
            tensor: Any tensor.

        Returns:
            The history, new where it was not known; None for a tensor without memory.
        """
        number = self.number(tensor)
        return None if number is None else self.by_number[number]

    def ancestors(self, number: int) -> set[int]:
        """List all storages that the values of one were made from.

        Args:
            number: The storage.

        Returns:
            Their numbers, its own included.
        """
        found, open_ = {number}, [number]
        while open_:
            history = self.by_number.get(open_.pop())
            for parent in () if history is None else history.parents - found:
                found.add(parent)
                open_.append(parent)
        return found

    def settle(self, history: History, tensor: Tensor) -> Snapshot | None:
        """Take the figures that the last write waits for.

        Args:
            history: The history.
            tensor: All of its memory, as a tensor.

        Returns:
            What the memory holds; None where nobody has written to it yet and nobody looked.
        """
        if not history.writes:
            return None
        last = history.writes[-1]
        if last.after is PENDING:
            last = replace(last, after=snapshot(tensor, poisoned=history.poisoned))
            history.writes[-1] = last
        return last.after


def whole(tensor: Tensor) -> Tensor:
    """View all the memory that a tensor looks into.

    Args:
        tensor: A tensor, perhaps a view of a part.

    Returns:
        A flat tensor of the same dtype.
    """
    storage = tensor.untyped_storage()
    count = storage.nbytes() // max(1, tensor.element_size())
    empty: Any = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
    return empty.set_(storage, 0, (count,), (1,))


def snapshot(tensor: Tensor, *, poisoned: bool) -> Snapshot:
    """Take the figures of a tensor.

    Args:
        tensor: The tensor.
        poisoned: Whether nan in it means that nobody wrote there.

    Returns:
        The figures, of the finite elements.
    """
    count = tensor.numel()
    if count == 0 or tensor.is_quantized or tensor.is_complex():
        return Snapshot(math.nan, math.nan, math.nan, math.nan, 0.0, fingerprint(tensor))
    if not tensor.is_floating_point():
        numbers = tensor.float()
        return _moments(numbers, 0.0, fingerprint(tensor))
    numbers = tensor.float() if tensor.element_size() < 4 else tensor
    total = numbers.sum()
    if math.isfinite(total.item()):
        return _moments(numbers, 0.0, fingerprint(tensor))
    missing = int(numbers.isnan().sum()) / count if poisoned else 0.0
    return _moments(numbers[numbers.isfinite()], missing, fingerprint(tensor))


def _moments(numbers: Tensor, unwritten: float, digest: str) -> Snapshot:
    if numbers.numel() == 0:
        return Snapshot(math.nan, math.nan, math.nan, math.nan, unwritten, digest)
    std, mean = torch.std_mean(numbers, correction=0)
    low, high = torch.aminmax(numbers)
    return Snapshot(mean.item(), std.item(), low.item(), high.item(), unwritten, digest)


def fingerprint(tensor: Tensor) -> str:
    """Hash the values of a tensor.

    Args:
        tensor: The tensor.

    Returns:
        Equal for equal values of one dtype; of a large tensor a part is hashed, and the sum.
    """
    flat = tensor.detach().reshape(-1)
    if flat.is_quantized:
        flat = flat.int_repr()
    hashed = hashlib.blake2b(digest_size=8)
    if flat.numel() > WHOLE:
        hashed.update(flat.sum().reshape(1).cpu().contiguous().view(torch.uint8).numpy().tobytes())
        flat = flat[:: flat.numel() // WHOLE + 1]
    hashed.update(flat.cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return hashed.hexdigest()
