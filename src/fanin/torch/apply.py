"""Initialising a PyTorch model: the plan, the checks, and then the writes.

Everything that can go wrong is found before the first write, so an error leaves the model as it
was. Each parameter is drawn on its own device, from its seed and its name alone, written once, and
read back wherever something could have come in between. No random state is used, and no mode, hook,
gradient or `requires_grad` is touched.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from fanin.draws import Constant, key
from fanin.errors import FaninError
from fanin.recipes import Plan, Row, Rules, assign
from fanin.schemes import ElementwiseScheme, Scheme
from fanin.torch.draws import sample_, writes_directly
from fanin.torch.layouts import Site, memory, survey
from fanin.torch.materialise import materialise, refuse_lost_buffers
from fanin.torch.places import Place, Writing
from fanin.torch.refusals import refuse, refuse_overflow


def init_(
    model: nn.Module, scheme: str | Scheme, seed: int = 0, rules: Rules | None = None
) -> Plan:
    """Initialise every parameter of a model, in place.

    The scheme is for the kernels: what a layer sums over. Biases and norm offsets become zero, norm
    gains one; embeddings take the scheme with one term per output, and keep a padding row at zero.
    `torch_default`, `keras_default` and `jax_default` bring that framework's habits for these too.
    Frozen parameters are initialised like the others. Buffers are left as they are, except those
    that a parametrisation derives from its weight.

    Args:
        model: Any module. On the meta device it is given memory on the CPU first.
        scheme: A scheme or its printed form, such as ``"he_normal(gain=tanh)"``.
        seed: The one seed, from 0 to 2**64 - 1.
        rules: Pattern of parameter names (as of `fnmatch`) to scheme; the first match counts. They
            come before everything else, and parameters outside known layers need one.

    Returns:
        What was done: one row per parameter.

    Raises:
        FaninError: Something cannot be initialised; then nothing was written.

    Example:
        >>> model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
        >>> plan = init_(model, "he_normal", seed=7)
        >>> [str(row.scheme) for row in plan.rows]
        ['he_normal', 'zeros', 'he_normal', 'zeros']
    """
    sites, plan, prepared = _prepare(model, scheme, seed, rules)
    buffers = [buffer[:2] for writing in prepared.values() for buffer in writing.buffers]
    computed = [(s.place.module, s.place.attribute) for s in sites if not _is_plain(s.place)]
    refuse_lost_buffers(model, [*buffers, *computed])
    with torch.no_grad():
        materialise(model)
        for site, row in zip(sites, plan.rows, strict=True):
            if row.name in prepared or not _drawn_in_place(site.place, row, seed):
                _write(site.place, prepared.get(row.name) or _draw(site.place, row, seed), row.name)
    for site in sites:
        site.place.settle()
    return plan


def values(
    model: nn.Module, scheme: str | Scheme, seed: int = 0, rules: Rules | None = None
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
    sites, plan, prepared = _prepare(model, scheme, seed, rules)
    given = dict[object, Tensor]()
    for site, row in zip(sites, plan.rows, strict=True):
        writing = prepared.get(row.name) or _draw(site.place, row, seed)
        given |= zip(map(memory, site.place.tensors), writing.originals, strict=True)
    return {name: given[memory(tensor)] for name, tensor in model.named_parameters()}


def _prepare(
    model: nn.Module, scheme: str | Scheme, seed: int, rules: Rules | None
) -> tuple[tuple[Site, ...], Plan, dict[str, Writing]]:
    """Do all that can fail: the survey, the plan, and the inverses of parametrisations."""
    key(seed, "")
    sites = survey(model)
    refuse(sites)
    plan = assign([site.slot for site in sites], scheme, rules)
    rows, prepared = list[Row](), dict[str, Writing]()
    for site, row in zip(sites, plan.rows, strict=True):
        refuse_overflow(row, site.place.tensors[0])
        if _is_plain(site.place):
            rows.append(row)
            continue
        writing = site.place.prepare(torch.as_tensor(row.values(seed)), seed, row.name)
        prepared[row.name] = writing
        rows.append(replace(row, reason=f"{row.reason}; {writing.note}"))
    return sites, replace(plan, rows=tuple(rows)), prepared


def _is_plain(place: Place) -> bool:
    return type(place) is Place


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
    intercept it, and there is nothing to read back; any other goes by `_draw` and `_write`.
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
                f"{name} does not hold what was written to it: something intercepts writes to "
                f"{attribute!r} of {type(module).__name__}. Parameters before it are initialised, "
                "those after it are not"
            )
    for module, attribute, new in writing.buffers:
        old = getattr(module, attribute)
        if isinstance(old, Tensor) and not old.is_meta and old.shape == new.shape:
            old.copy_(new)
        else:
            setattr(module, attribute, new.to(place.tensors[0].device))
