"""Initialising a PyTorch model: the plan, the checks, and then the writes.

Everything that can go wrong is found before the first write, so an error leaves the model as it
was. Each parameter is drawn on its own device, from its seed and its name alone, written once, and
read back. No random state is used, and no mode, hook, gradient or `requires_grad` is touched.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from fanin.draws import Constant, key
from fanin.errors import FaninError
from fanin.recipes import Plan, Row, Rules
from fanin.recipes import plan as decide
from fanin.recipes.applied import Applied
from fanin.recipes.fit import fit
from fanin.schemes import ElementwiseScheme, Scheme, keep
from fanin.torch.buffers import computed_again
from fanin.torch.draws import sample_, writes_directly
from fanin.torch.layouts import Site, memory, survey
from fanin.torch.materialise import lost_values, materialise
from fanin.torch.pieces import piece
from fanin.torch.places import Place, Writing
from fanin.torch.refusals import refuse, refuse_overflow

SPOT = 16
"""Elements that are drawn again and compared where nothing can come between draw and memory."""

Start = str | Path | Scheme | Plan
"""What says how a model starts: a plan, the path of one, or a scheme for its kernels."""


def init_(
    model: nn.Module,
    scheme: Start,
    seed: int = 0,
    rules: Rules | None = None,
    build: Callable[[], nn.Module] | None = None,
) -> Applied:
    """Initialise every parameter of a model, in place.

    Under a plan, every row is laid to the parameter of its name, and all must fit. A scheme makes
    the plan: it is for the kernels, what a layer sums over. Biases and norm offsets become zero,
    norm gains one; embeddings take the scheme with one term per output, and keep a padding row at
    zero. `torch_default`, `keras_default` and `jax_default` bring that framework's habits for these
    too. Frozen parameters are initialised like the others. Buffers are left as they are, except
    those that a parametrisation derives from its weight, and those that have no memory yet.

    Args:
        model: Any module. On the meta device it is given memory on the CPU first.
        scheme: A plan, the path of one (``"plan.toml"``), or a scheme or its printed form, such as
            ``"he_normal(gain=tanh)"``.
        seed: The one seed, from 0 to 2**64 - 1.
        rules: Pattern of parameter names (as of `fnmatch`) to scheme; the first match counts. They
            come before everything else, and parameters outside known layers need one. For a scheme
            only: a plan has settled everything.
        build: Builds the same model. Needed where the meta device lost what only the constructor
            knows, such as rotary frequencies; its parameters are never given memory.

    Returns:
        What was done: one row per parameter.

    Raises:
        FaninError: Something cannot be initialised; then nothing was written.

    Example:
        >>> model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
        >>> plan = init_(model, "he_normal", seed=7)
        >>> [str(row.scheme) for row in plan.rows]
        ['he_normal', 'zeros', 'he_normal', 'zeros']
        >>> again = init_(nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)), plan, 7)
        >>> again == plan
        True
    """
    direct = list[tuple[Site, Row]]()
    # The caller may stand under torch.device("meta") still, and draws are made on the host.
    with torch.device("cpu"), torch.no_grad():
        intent = prepare(model, scheme, seed, rules)
        lost = lost_values(model, intent.filled())
        found = computed_again(model, lost, seed, build)
        done = [*materialise(model), *(restored.put() for restored in found)]
        for site, row in intent.written():
            if row.name not in intent.writings and _drawn_in_place(site.place, row, seed):
                direct.append((site, row))
            else:
                _write(site.place, intent.writing(site, row), row.name)
        for site, row in direct:
            _look(site.place, row, seed)
    for site, _ in intent.written():
        site.place.settle()
    return Applied.of(intent.plan, seed, tuple(done))


def values(
    model: nn.Module, scheme: Start, seed: int = 0, rules: Rules | None = None
) -> dict[str, Tensor]:
    """Tell what `init_` would write, and leave the model alone.

    Args:
        model: Any module.
        scheme: As for `init_`.
        seed: As for `init_`.
        rules: As for `init_`.

    Returns:
        Name, as in ``model.named_parameters()``, to a new tensor of the parameter's dtype, on its
        device (the CPU for meta).

    Raises:
        FaninError: As for `init_`.

    Example:
        >>> model = nn.Linear(4, 2)
        >>> {name: tuple(tensor.shape) for name, tensor in values(model, "he_normal").items()}
        {'weight': (2, 4), 'bias': (2,)}
    """
    given = dict[object, Tensor]()
    with torch.device("cpu"):
        intent = prepare(model, scheme, seed, rules)
        for site, row in zip(intent.sites, intent.plan.rows, strict=True):
            held = site.place.tensors
            new = (
                tuple(tensor.detach().clone() for tensor in held)
                if isinstance(row.scheme, keep)
                else intent.writing(site, row).originals
            )
            given |= zip(map(memory, held), new, strict=True)
    return {name: given[memory(tensor)] for name, tensor in model.named_parameters()}


@dataclass(frozen=True)
class Intent:
    """What is to be written to a model, with all that can fail done.

    Attributes:
        sites: The parameters of the model.
        plan: The plan, one row for each of them, in their order.
        seed: The one seed.
        writings: Name to what is written where the parameter is not what the layer computes with.
    """

    sites: tuple[Site, ...]
    plan: Plan
    seed: int
    writings: Mapping[str, Writing]

    def written(self) -> list[tuple[Site, Row]]:
        """List what is not left alone."""
        pairs = zip(self.sites, self.plan.rows, strict=True)
        return [(site, row) for site, row in pairs if not isinstance(row.scheme, keep)]

    def writing(self, site: Site, row: Row) -> Writing:
        """Make the values of one parameter.

        Args:
            site: The parameter.
            row: What it is to hold.

        Returns:
            What to write.
        """
        return self.writings.get(row.name) or _draw(site.place, row, self.seed)

    def filled(self) -> list[tuple[nn.Module, str]]:
        """List the tensors besides the parameters that writing fills."""
        buffers = [b[:2] for writing in self.writings.values() for b in writing.buffers]
        computed = [s.place for s, _ in self.written() if not is_plain(s.place)]
        return [*buffers, *((place.module, place.attribute) for place in computed)]


def prepare(model: nn.Module, scheme: Start, seed: int, rules: Rules | None = None) -> Intent:
    """Do all that can fail: the survey, the plan, and the inverses of parametrisations.

    Args:
        model: As for `init_`.
        scheme: As for `init_`.
        seed: As for `init_`.
        rules: As for `init_`.

    Returns:
        What is to be written.

    Raises:
        FaninError: As for `init_`, except for buffers without memory.
    """
    key(seed, "")
    sites = survey(model)
    plan = planned(sites, scheme, rules)
    refuse_lost_keeps(sites, plan)
    rows, writings = list[Row](), dict[str, Writing]()
    for site, row in zip(sites, plan.rows, strict=True):
        if isinstance(row.scheme, keep) or is_plain(site.place):
            rows.append(row)
            continue
        writing = site.place.prepare(torch.as_tensor(row.values(seed)), seed, row.name)
        writings[row.name] = writing
        rows.append(replace(row, reason=noted(row.reason, writing.note)))
    return Intent(sites, replace(plan, rows=tuple(rows)), seed, writings)


def planned(sites: tuple[Site, ...], scheme: Start, rules: Rules | None = None) -> Plan:
    """Settle the plan of a model, and refuse what cannot be written.

    Args:
        sites: The parameters of the model.
        scheme: As for `init_`.
        rules: As for `init_`.

    Returns:
        The plan, one row for each parameter, in the order of the model.

    Raises:
        FaninError: As for `init_`.
    """
    slots = [site.slot for site in sites]
    given = _read(scheme)
    if isinstance(given, Plan):
        if rules:
            raise FaninError(
                "rules= is for a scheme, and here is a plan, which has settled every parameter: "
                "give the rules to fanin.plan, or change its rows"
            )
        alone = {row.name for row in given.rows if isinstance(row.scheme, keep)}
        refuse([site for site in sites if alone.isdisjoint(site.slot.names)])
        plan = replace(given, rows=fit(given, slots))
    else:
        refuse(sites)
        plan = decide(slots, given, rules)
    for site, row in zip(sites, plan.rows, strict=True):
        refuse_overflow(row, site.place.tensors[0])
    return plan


def refuse_lost_keeps(sites: tuple[Site, ...], plan: Plan) -> None:
    """Raise if a plan keeps the values of a parameter that has none.

    Args:
        sites: The parameters of the model.
        plan: The plan, one row for each of them, in their order.

    Raises:
        FaninError: Which ones, and what to do.
    """
    empty = [
        row.name
        for site, row in zip(sites, plan.rows, strict=True)
        if isinstance(row.scheme, keep) and any(tensor.is_meta for tensor in site.place.tensors)
    ]
    if empty:
        raise FaninError(
            f"the plan keeps what {', '.join(empty)} holds, and on the meta device there is "
            "nothing to keep: build the model on the CPU, or give these rows a scheme"
        )


def is_plain(place: Place) -> bool:
    """Tell whether a parameter is itself what the layer computes with.

    Args:
        place: Where it is kept.

    Returns:
        False for what lies behind a parametrisation or a hook.
    """
    return type(place) is Place


def _read(scheme: Start) -> str | Scheme | Plan:
    if isinstance(scheme, Path) or (isinstance(scheme, str) and scheme.endswith(".toml")):
        return Plan.load(scheme)
    return scheme


def noted(reason: str, note: str) -> str:
    """Add to the reason of a row what the writing of it was about.

    Args:
        reason: The reason.
        note: The note; a plan that was carried out before has it already.

    Returns:
        Both.
    """
    return reason if reason.endswith(note) else f"{reason}; {note}"


def _draw(place: Place, row: Row, seed: int) -> Writing:
    """Draw a plain parameter on its own device; a matrix scheme makes its matrices on the host."""
    (like,) = place.tensors
    drawn = torch.empty(row.shape, dtype=like.dtype, device="cpu" if like.is_meta else like.device)
    if isinstance(row.scheme, ElementwiseScheme):
        sample_(drawn, row.scheme.law(row.fans), seed, row.name)
        if row.slot.zero_row is not None:
            drawn[row.slot.zero_row] = 0
    else:
        drawn.copy_(torch.as_tensor(row.values(seed)))
    return Writing((drawn,))


def _drawn_in_place(place: Place, row: Row, seed: int) -> bool:
    """Draw into the memory of a parameter that nothing can come between; tell whether it is one.

    An ordinary float32 parameter on the CPU is written to behind torch's back, so nothing can
    intercept it; any other goes by `_draw` and `_write`.
    """
    (parameter,), scheme = place.tensors, row.scheme
    # What a property makes up, or TorchScript wraps, is another object at every look.
    ordinary = type(parameter) is nn.Parameter and place.tensors[0] is parameter
    if not (ordinary and isinstance(scheme, ElementwiseScheme) and writes_directly(parameter)):
        return False
    law = scheme.law(row.fans)
    if isinstance(law, Constant):
        return False
    sample_(parameter, law, seed, row.name)
    if row.slot.zero_row is not None:
        parameter.detach().numpy()[row.slot.zero_row] = 0
    return True


def _write(place: Place, writing: Writing, name: str) -> None:
    for (module, attribute), new in zip(place.originals, writing.originals, strict=True):
        parameter = getattr(module, attribute)
        parameter.copy_(new)
        if not torch.equal(getattr(module, attribute), new):
            raise FaninError(
                f"{_lost(name, module, attribute)}. Parameters before it are initialised, those "
                "after it are not"
            )
    for module, attribute, new in writing.buffers:
        old = getattr(module, attribute)
        if isinstance(old, Tensor) and not old.is_meta and old.shape == new.shape:
            old.copy_(new)
        else:
            setattr(module, attribute, new.to(place.tensors[0].device))


def _look(place: Place, row: Row, seed: int) -> None:
    """Compare the last elements of a parameter with what they should be, after all was written."""
    flat, size = place.tensors[0].view(-1), place.tensors[0].numel()
    start = max(0, size - SPOT)
    if not torch.equal(flat[start:], piece(row, seed, start, size)):
        raise FaninError(_lost(row.name, place.module, place.attribute))


def _lost(name: str, module: nn.Module, attribute: str) -> str:
    return (
        f"{name} does not hold what was written to it: something intercepts writes to "
        f"{attribute!r} of {type(module).__name__}, or wrote over it"
    )
