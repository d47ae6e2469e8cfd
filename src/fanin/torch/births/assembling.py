"""From what was heard to the births of a model: each tensor with its writes, and what was lost."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from fanin.births import Birth, Births, Lost, Write
from fanin.errors import FaninError
from fanin.torch.births.histories import Histories, whole
from fanin.torch.births.methods import Methods
from fanin.torch.births.recorder import Recorder
from fanin.torch.layouts import module_names, survey

_LOSABLE = ("fill_", "zero_", "copy_", "normal_", "uniform_", "__setitem__", "mul_", "div_")


def assemble(model: nn.Module, recorder: Recorder, methods: Methods, seconds: float) -> Births:
    """Look up the tensors of a model.

    Args:
        model: What was built.
        recorder: What was heard.
        methods: Which initialising methods ran.
        seconds: How long the build took.

    Returns:
        The births.
    """
    held, histories = dict[str, Tensor](_held(model)), recorder.histories
    computed = _computed(model)
    by_number = dict[int, str]()
    births = list[Birth]()
    aliases = _aliases(held, histories)
    for name, tensor in held.items():
        if name not in aliases:
            continue
        number = histories.number(tensor)
        if number is not None:
            by_number.setdefault(number, name)
        further = tuple(one for one in computed.get(id(tensor), ()) if one != name)
        births.append(_birth(name, tensor, (*aliases[name], *further), recorder))
    heard = [write for history in histories.by_number.values() for write in history.writes]
    wrote = {name for write in heard for name in write.scope}
    return Births(
        tensors=tuple(births),
        lost=tuple(_lost(held, by_number, histories)),
        uncalled=methods.of(model, ran=False),
        idle=tuple(
            (name, place) for name, place in methods.of(model, ran=True) if name not in wrote
        ),
        seconds=seconds,
        notes=tuple(recorder.notes),
    )


def _held(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Every parameter and buffer under every name, parametrised ones under their own."""
    for path, module in module_names(model):
        for name, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
            yield f"{path}.{name}" if path else name, parameter
        for name, buffer in module.named_buffers(recurse=False, remove_duplicate=False):
            yield f"{path}.{name}" if path else name, buffer


def _computed(model: nn.Module) -> dict[int, tuple[str, ...]]:
    """Name the tensor that a parametrised weight is mostly made of by the weight itself."""
    try:
        sites = survey(model)
    except FaninError:
        return {}  # lazy layers have no shapes yet
    found = dict[int, tuple[str, ...]]()
    for site in sites:
        largest = max(site.place.tensors, key=Tensor.numel, default=None)
        if largest is not None:
            found[id(largest)] = (*found.get(id(largest), ()), site.slot.name)
    return found


def _aliases(held: dict[str, Tensor], histories: Histories) -> dict[str, tuple[str, ...]]:
    """Group the names that share the same memory in the same way; the first stands for all."""
    groups = dict[tuple[object, ...], list[str]]()
    for name, tensor in held.items():
        number = histories.number(tensor)
        own = (id(tensor),) if number is None or tensor.numel() == 0 else (
            number, tensor.storage_offset(), tuple(tensor.shape), tensor.stride()
        )  # fmt: skip
        groups.setdefault(own, []).append(name)
    return {names[0]: tuple(names[1:]) for names in groups.values()}


def _birth(name: str, tensor: Tensor, aliases: tuple[str, ...], recorder: Recorder) -> Birth:
    histories = recorder.histories
    history = histories.find(tensor)
    buffer = not isinstance(tensor, nn.Parameter)
    dtype = str(tensor.dtype).removeprefix("torch.")
    if is_lazy(tensor):
        return Birth(name, (), dtype, buffer, aliases)
    shape = () if tensor.is_nested else tuple(tensor.shape)
    if history is None:
        return Birth(name, shape, dtype, buffer, aliases)
    with torch.no_grad():
        recorder.expose_end(history, tensor)
        histories.settle(history, whole(tensor))
        missing = 0.0
        if history.poisoned and tensor.numel():
            missing = int(tensor.isnan().sum()) / tensor.numel()
    return Birth(
        name,
        shape,
        dtype,
        buffer,
        aliases,
        history.allocation,
        tuple(sorted(history.writes, key=lambda write: write.order)),
        missing,
    )


def _lost(
    held: dict[str, Tensor], by_number: dict[int, str], histories: Histories
) -> Iterator[Lost]:
    """Find purposeful writes that no tensor of the model holds.

    Memory whose content went on into the model lost nothing: an initial value may be computed
    anywhere.
    """
    names = {id(tensor): name for name, tensor in held.items()}
    kept = set[int]()
    for number in by_number:
        kept |= histories.ancestors(number)
    for number, history in histories.by_number.items():
        if number in kept or history.inner:
            continue
        writes = [write for write in history.writes[history.inherited :] if _on_purpose(write)]
        holders = (names.get(id(one)) for known in history.holders if (one := known()) is not None)
        holder = next((name for name in holders if name), "")
        if holder:
            empty = bool(history.writes) and history.writes[-1].of == 0
            into = "an empty placeholder" if empty else "memory that was replaced"
            yield from (Lost(write, into, holder) for write in writes)
        elif history.derived and writes:
            yield from _astray(number, writes, held, by_number, histories)


def _astray(
    number: int,
    writes: list[Write],
    held: dict[str, Tensor],
    by_number: dict[int, str],
    histories: Histories,
) -> Iterator[Lost]:
    """Find writes to what was made from a tensor of the model, in the place of that tensor.

    A function of `torch.nn.init` is meant for a weight, whatever it is given. Any other write may
    be a step of a computation, as those of a forward pass are: not where it wrote to a copy of the
    tensor or to something of its size, and nothing used the result.
    """
    before = histories.ancestors(number)
    sources = [name for known, name in by_number.items() if known in before]
    if not sources:
        return
    of = next((name for name in sources if held[name].numel() == writes[0].of), "")
    copied = _copied(number, by_number, histories)
    final = not histories.by_number[number].read and (copied or of)
    into = "a temporary" if copied else "a derived tensor"
    for write in writes:
        if final or write.function.startswith("nn.init."):
            yield Lost(write, into, of or sources[0])


def _copied(number: int, by_number: dict[int, str], histories: Histories) -> bool:
    """Tell whether memory is a copy of a tensor of the model, or a copy of one, and so on."""
    history = histories.by_number[number]
    return history.copied and any(
        parent in by_number or _copied(parent, by_number, histories) for parent in history.parents
    )


def _on_purpose(write: Write) -> bool:
    named = write.function.startswith("nn.init.") or write.function in _LOSABLE
    return named and write.by == "init" and bool(write.frames)
