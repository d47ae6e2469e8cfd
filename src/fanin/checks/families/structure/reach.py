"""What is to be trained and cannot be: out of the optimiser's sight, or without a gradient."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from fanin.checks.evidence import Evidence, Layer, Probe
from fanin.checks.finding import Finding, Severity
from fanin.checks.modules import Unregistered
from fanin.checks.rule import rule
from fanin.reports.document import counted
from fanin.trace import Kind, Op, TracedParameter


@rule("FI710", "not registered", Severity.ERROR, Probe.VALUES)
def not_registered(evidence: Evidence) -> Iterator[Finding]:
    """A tensor or a module that is to be trained is no part of the model's parameters.

    Why it hurts:
        `model.parameters()` does not list it, so the optimiser never changes it, `state_dict` does
        not store it, and `.to(device)` does not move it.

    Example:
        `self.gate = nn.Parameter(torch.zeros(8)).to(device)`: the result of `.to` is a plain
        tensor. `self.layers = [nn.Linear(8, 8) for _ in range(3)]`: a list hides its modules.

    Mend:
        Assign the parameter itself and move the model as a whole; use `nn.ModuleList`,
        `nn.ModuleDict`, `nn.ParameterList`.

    When it is fine:
        A teacher or a target network that is kept out of the model on purpose: name it so, put it
        in evaluation mode, or take its gradients off with `requires_grad_(False)`. A list of one
        module is how they are usually hidden, and a warning only. A tensor that was made with
        `requires_grad=True` and never was a parameter is a remark: it may hold the points at which
        a network of a differential equation takes its derivatives.

    Threshold:
        None: it requires a gradient, and is not among the parameters of the model.

    Source:
        Documentation of torch.nn.Module: parameters are registered when they are assigned as
        attributes.
    """
    for layer in evidence.layers:
        points = [one for one in layer.unregistered if one.what == "leaf"]
        rest = [one for one in layer.unregistered if one not in points]
        sure = [one for one in rest if one.what == "tensor" or not one.alone]
        hidden = [one for one in rest if one not in sure]
        if sure:
            yield _unregistered(layer, sure, Severity.ERROR)
        if hidden:
            yield _unregistered(layer, hidden, Severity.WARNING)
        if points:
            yield _never_a_parameter(layer, points)


def _names(layer: Layer, group: list[Unregistered]) -> tuple[str, ...]:
    return tuple(f"{layer.path}.{one.name}" if layer.path else one.name for one in group)


def _never_a_parameter(layer: Layer, group: list[Unregistered]) -> Finding:
    return Finding(
        "FI710",
        Severity.INFO,
        _names(layer, group),
        f"{group[0].name} of {layer.kind} requires a gradient and is a plain tensor",
        "",
        "fine for points at which derivatives are taken; as a weight it is never changed by the "
        "optimiser, and has to be nn.Parameter(...)",
        "",
        title="tensor with a gradient is no parameter",
    )


def _unregistered(layer: Layer, group: list[Unregistered], severity: Severity) -> Finding:
    first = group[0]
    tensors = sum(len(one.shapes) for one in group)
    tensor = first.what == "tensor"
    what = "a plain tensor, and no parameter" if tensor else f"a {first.what} in a plain container"
    return Finding(
        "FI710",
        severity,
        _names(layer, group),
        f"{first.name} of {layer.kind} is {what}: {counted(tensors, 'tensor')} that require a "
        "gradient",
        "everything that is to be trained among model.parameters()",
        "the optimiser never changes it, and state_dict does not store it",
        "assign nn.Parameter(...) itself, without .to() or arithmetic, and move the model instead"
        if tensor
        else "use nn.ModuleList or nn.ModuleDict in place of the list or dict",
        title="trainable tensor is not registered" if tensor else "modules are not registered",
        facts={"tensors": tensors},
    )


@rule("FI711", "no gradient", Severity.WARNING, Probe.SIGNAL)
def no_gradient(evidence: Evidence) -> Iterator[Finding]:
    """A trainable parameter gets no gradient: the pass did not use it, or the graph is cut.

    Why it hurts:
        The optimiser leaves it as it is. Where the loss depends on it all the same, something cuts
        the graph between the two, and everything before the cut never learns.

    Example:
        `features = self.trunk(x).detach()`; a block under `torch.no_grad()`; `.item()` or
        `torch.tensor(output)` on the way.

    Mend:
        Take away the cut, or freeze what is before it, `requires_grad_(False)`, if that is meant.

    When it is fine:
        Layers that this pass did not use (a pooler, a second head, an expert that no token of a
        small batch was sent to) are a remark; so are outputs that the loss does not look at.

    Threshold:
        A warning where the operation leads to the loss, along the operations of the traced pass,
        and no gradient comes back.

    Source:
        Documentation of torch.Tensor.detach: the result never requires a gradient.
    """
    trace = evidence.trace
    if trace is None or not any(p.gradient is not None for p in trace.parameters):
        return
    leading = _before_the_loss(trace.ops)
    frozen = {slot.name for slot in evidence.slots if slot.frozen}
    empty = {parameter.name for parameter in trace.parameters if 0 in parameter.shape}
    missing = [p for p in trace.parameters if p.gradient is None and p.name not in frozen | empty]
    cut = [p for p in missing if any(use.op in leading for use in p.uses)]
    if cut:
        yield _cut(cut, len(trace.parameters) - len(frozen))
    rest = [p for p in missing if p not in cut]
    if rest:
        yield _aside(rest)


def _before_the_loss(ops: tuple[Op, ...]) -> set[int]:
    """List the operations that the loss depends on.

    A loss of the person's own may look at some of the outputs only: those that a gradient reaches.
    """
    ends = [inner for op in ops if op.kind in (Kind.LOSS, Kind.OUTPUT) for inner in op.inputs]
    found, waiting = set[int](), [index for index in ends if ops[index].backward is not None]
    while waiting:
        at = waiting.pop()
        if at not in found:
            found.add(at)
            waiting.extend(ops[at].inputs)
    return found


def _cut(cut: list[TracedParameter], trainable: int) -> Finding:
    return Finding(
        "FI711",
        Severity.WARNING,
        tuple(parameter.name for parameter in cut),
        f"{len(cut)} of {counted(trainable, 'trainable parameter')} lead to the loss, and no "
        "gradient comes back",
        "a gradient for each trainable parameter that the loss depends on",
        "something cuts the graph behind them (detach, no_grad, item): they never learn",
        f"look for the cut behind {_home(cut[-1].name)}; if it is meant, requires_grad_(False)",
        title="the graph is cut behind trainable parameters",
        facts={"parameters": len(cut), "trainable": trainable},
    )


def _aside(rest: list[TracedParameter]) -> Finding:
    unused = [parameter for parameter in rest if not parameter.uses]
    homes = _homes(parameter.name for parameter in rest)
    return Finding(
        "FI711",
        Severity.INFO,
        tuple(parameter.name for parameter in rest),
        f"{counted(len(rest), 'parameter')} of {', '.join(homes)} had no part in the loss"
        + (f"; {len(unused)} were not used at all" if unused else ""),
        "",
        "fine if other inputs use them, or if they are there for later: with this loss and batch "
        "they do not learn, and DistributedDataParallel needs find_unused_parameters=True",
        "",
        title="parameters without a part in the loss",
        facts={"parameters": len(rest), "unused": len(unused)},
    )


def _home(name: str) -> str:
    return name.rpartition(".")[0] or name


def _homes(names: Iterable[str]) -> list[str]:
    """Name the outermost modules, the three with most tensors."""
    counts = defaultdict[str, int](int)
    for name in names:
        counts[".".join(name.split(".")[:2]) if name.count(".") > 1 else _home(name)] += 1
    return sorted(counts, key=lambda home: -counts[home])[:3]
