"""The start of a model as a file: a plan and a seed turned into the checkpoint of step 0.

The weights are a function of the plan and the seed, so the model need not exist to write them. It
is built without memory for its parameters, and each is drawn into the file a piece at a time. The
file holds, bit for bit, the `state_dict` of the same model after `init_`.
"""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from fanin.draws import key
from fanin.errors import FaninError
from fanin.recipes import Plan, Row, Rules
from fanin.recipes.digest import digest
from fanin.schemes import ElementwiseScheme, keep
from fanin.torch.apply import Start, is_plain, noted, planned, refuse_lost_keeps
from fanin.torch.container import CODES, PIECE, Container, Entry, new_file
from fanin.torch.layouts import Site, memory, survey
from fanin.torch.materialise import lost_values, parameters_on_meta
from fanin.torch.pieces import piece
from fanin.torch.randomness import seeded


@dataclass(frozen=True)
class Draft:
    """A file that can be written: all that can go wrong with the model is behind.

    Attributes:
        model: The model, its parameters without memory where that was possible.
        sites: Its parameters.
        plan: The plan, one row for each of them, in their order.
        seed: The one seed.
        tensors: Name in the file to the tensor of the model.
        aliases: Further names of tied tensors to the names in the file.
        notes: What the reader has to know, as sentences.
    """

    model: nn.Module
    sites: tuple[Site, ...]
    plan: Plan
    seed: int
    tensors: dict[str, Tensor]
    aliases: dict[str, str]
    notes: tuple[str, ...]

    @property
    def values(self) -> int:
        """Numbers in the file."""
        return sum(tensor.numel() for tensor in self.tensors.values())

    def metadata(self) -> dict[str, str]:
        """Collect the texts of the header.

        Returns:
            What tells the start, and the further names of tied tensors as Hugging Face stores them:
            ``safetensors.torch.load_model`` reads the file into a tied model.
        """
        from importlib.metadata import version

        return {
            "format": "pt",
            "fanin.version": version("fanin"),
            "fanin.seed": str(self.seed),
            "fanin.plan": digest(self.plan.rows),
            **self.aliases,
        }


@dataclass(frozen=True)
class Written:
    """A file that was written; prints as one line, and what has to be known below it.

    Attributes:
        path: Where it is.
        parameters: Parameters that were drawn.
        tensors: Tensors in it, buffers included and tied ones once.
        values: Numbers in it.
        size: Bytes of them.
        seed: The one seed.
        plan: Fingerprint of the plan.
        notes: What the reader has to know, as sentences.
    """

    path: Path
    parameters: int
    tensors: int
    values: int
    size: int
    seed: int
    plan: str
    notes: tuple[str, ...]

    def __str__(self) -> str:
        line = (
            f"wrote {self.path}: {self.tensors} tensors, {self.values} values, "
            f"{self.size / 1e6:.4g} MB; {self.parameters} parameters from seed {self.seed} and "
            f"plan {self.plan}"
        )
        return "\n".join((line, *(f"note: {note}" for note in self.notes)))

    def to_json(self) -> str:
        """Write the result as JSON.

        Returns:
            An object with the attributes as keys.
        """
        return json.dumps({**vars(self), "path": str(self.path)}, indent=2)


def draft(
    build: Callable[[], nn.Module], scheme: Start, seed: int = 0, rules: Rules | None = None
) -> Draft:
    """Build a model for its names and shapes, and lay the plan on it.

    Args:
        build: Builds the model. It runs with `parameters_on_meta` first, and again with memory
            where it cannot do without; what it draws at random follows from the seed.
        scheme: As for `init_`.
        seed: The one seed, from 0 to 2**64 - 1.
        rules: As for `init_`.

    Returns:
        What is to be written.

    Raises:
        FaninError: The model cannot be built, or as for `init_`.

    Example:
        >>> first = draft(lambda: nn.Linear(1000, 1000), "he_normal")
        >>> first.values, first.tensors["weight"].is_meta
        (1001000, True)
    """
    key(seed, "")
    try:
        with parameters_on_meta(), seeded(seed, "build"):
            model = build()
        sites = _survey(model)
    except (Exception, SystemExit) as problem:  # noqa: BLE001  # a person's code may need its numbers
        return _with_memory(build, scheme, seed, rules, f"{type(problem).__name__}: {problem}")
    plan = planned(sites, scheme, rules)
    if any(isinstance(row.scheme, keep) for row in plan.rows):
        return _with_memory(build, scheme, seed, rules, "the plan keeps values")
    drafted, filled = _drafted(model, sites, plan, seed)
    lost = lost_values(model, filled)
    if lost:
        why = f"{lost[0]} is computed from parameters"
        return _with_memory(build, scheme, seed, rules, why)
    return drafted


def _silent(_: int) -> None:
    """Tell nobody how far it is."""


def write(drafted: Draft, path: str | Path, tick: Callable[[int], None] = _silent) -> Written:
    """Write the start of a model.

    The file appears when it is complete. Beside what is there, it takes the memory of one piece, or
    of one tensor for schemes that make their matrices as wholes.

    Args:
        drafted: What is to be written.
        path: Where, such as ``"weights.safetensors"``.
        tick: Called with the number of values that were just written.

    Returns:
        What was written.

    Raises:
        FaninError: The file cannot be written; then nothing is left behind.

    Example:
        >>> import tempfile
        >>> from safetensors.torch import load_file
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "weights.safetensors")
        ...     _ = write(draft(lambda: nn.Linear(3, 2), "lecun_normal"), path)
        ...     loaded = load_file(path)
        >>> sorted((name, tuple(tensor.shape)) for name, tensor in loaded.items())
        [('bias', (2,)), ('weight', (2, 3))]
    """
    path = Path(path)
    entries = [
        Entry(name, tensor.dtype, tuple(tensor.shape)) for name, tensor in drafted.tensors.items()
    ]
    names, left, metadata = _names(drafted), dict(drafted.tensors), drafted.metadata()
    with new_file(path, entries, metadata) as file, torch.no_grad():
        for site, row in zip(drafted.sites, drafted.plan.rows, strict=True):
            if not isinstance(row.scheme, keep):
                for name in _put(file, names, site, row, drafted.seed, tick):
                    left.pop(name, None)
        for name, tensor in left.items():
            file.put(name, tensor)
            tick(tensor.numel())
    return Written(
        path,
        len(drafted.sites),
        len(entries),
        drafted.values,
        sum(entry.size for entry in entries),
        drafted.seed,
        metadata["fanin.plan"],
        drafted.notes,
    )


def _with_memory(
    build: Callable[[], nn.Module], scheme: Start, seed: int, rules: Rules | None, why: str
) -> Draft:
    try:
        with seeded(seed, "build"):
            model = build()
    except (Exception, SystemExit) as problem:
        kind = type(problem).__name__
        raise FaninError(f"the model cannot be built: {kind}: {problem}") from problem
    sites = _survey(model)
    plan = planned(sites, scheme, rules)
    refuse_lost_keeps(sites, plan)
    drafted, _ = _drafted(model, sites, plan, seed)
    note = f"the model was built in memory, because without ({why})"
    return replace(drafted, notes=(note, *drafted.notes))


def _survey(model: Any) -> tuple[Site, ...]:
    if not isinstance(model, nn.Module):
        raise FaninError(
            f"the function that builds the model must return a torch.nn.Module, got "
            f"{'nothing' if model is None else type(model).__name__}"
        )
    return survey(model)


def _drafted(
    model: nn.Module, sites: tuple[Site, ...], plan: Plan, seed: int
) -> tuple[Draft, list[tuple[nn.Module, str]]]:
    """Try what a parametrisation can hold, and list what is to be stored."""
    rows, filled = list[Row](), list[tuple[nn.Module, str]]()
    for site, row in zip(sites, plan.rows, strict=True):
        if is_plain(site.place) or isinstance(row.scheme, keep):
            rows.append(row)
            continue
        writing = site.place.prepare(torch.as_tensor(row.values(seed)), seed, row.name)
        filled += [(site.place.module, site.place.attribute)]
        filled += [buffer[:2] for buffer in writing.buffers]
        rows.append(replace(row, reason=noted(row.reason, writing.note)))
    tensors, aliases, notes = _contents(model)
    plan = replace(plan, rows=tuple(rows))
    return Draft(model, sites, plan, seed, tensors, aliases, notes), filled


def _contents(model: nn.Module) -> tuple[dict[str, Tensor], dict[str, str], tuple[str, ...]]:
    """List the tensors of the state dict once each, their further names, and what is left out."""
    tensors, aliases, notes = dict[str, Tensor](), dict[str, str](), list[str]()
    first = dict[object, str]()
    for name, value in model.state_dict(keep_vars=True).items():
        if not isinstance(value, Tensor):
            notes.append(f"{name} is no tensor, so it is not in the file")
        elif value.dtype not in CODES or value.is_quantized:
            raise FaninError(f"{name} is {value.dtype}, which a safetensors file cannot hold")
        elif memory(value) in first:
            aliases[name] = first[memory(value)]
        else:
            first[memory(value)] = name
            tensors[name] = value
    return tensors, aliases, tuple(notes)


Names = dict[tuple[int, str], str]
"""(identity of a module, name in it) to the name in the file."""


def _names(drafted: Draft) -> Names:
    names = Names()
    walk = cast(
        "Iterator[tuple[str, nn.Module]]", drafted.model.named_modules(remove_duplicate=False)
    )
    for path, module in walk:
        own = module.named_parameters(recurse=False, remove_duplicate=False)
        for name, _ in [*own, *module.named_buffers(recurse=False, remove_duplicate=False)]:
            full = f"{path}.{name}".removeprefix(".")
            full = drafted.aliases.get(full, full)
            if full in drafted.tensors:
                names[id(module), name] = full
    return names


def _put(
    file: Container, names: Names, site: Site, row: Row, seed: int, tick: Callable[[int], None]
) -> list[str]:
    """Write one parameter, and tell under which names."""
    place = site.place
    missing = [name for module, name in place.originals if (id(module), name) not in names]
    if missing:
        raise FaninError(
            f"{row.name}: the model's state_dict has no {missing[0]!r} under its own name, so a "
            "file would not hold it"
        )
    if is_plain(place):
        name = names[id(place.module), place.attribute]
        for start, values in _pieces(row, seed):
            file.put(name, values, start)
            tick(values.numel())
        return [name]
    writing = place.prepare(torch.as_tensor(row.values(seed)), seed, row.name)
    done = list[str]()
    originals = zip(place.originals, writing.originals, strict=True)
    for module, name, values in [*((*where, new) for where, new in originals), *writing.buffers]:
        if (id(module), name) in names:
            file.put(names[id(module), name], values)
            tick(values.numel())
            done.append(names[id(module), name])
    return done


def _pieces(row: Row, seed: int) -> Iterator[tuple[int, Tensor]]:
    if not isinstance(row.scheme, ElementwiseScheme):
        yield 0, torch.as_tensor(row.values(seed))
        return
    size = math.prod(row.shape)
    for start in range(0, size, PIECE):
        yield start, piece(row, seed, start, min(start + PIECE, size))
