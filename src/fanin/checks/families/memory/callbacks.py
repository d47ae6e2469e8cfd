"""Initialisers that fall short: never called, stuck on one layer, or not reaching all of them."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator

from fanin.births import Birth, Births, Frame
from fanin.checks.evidence import Evidence, Layer, Probe
from fanin.checks.families.memory.sweeps import Line, lines, purposeful, replaces, said
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule
from fanin.reports.document import counted

INSTALLED = re.compile(r"(site|dist)-packages|lib/python\d|<frozen|<string>")
"""Files that are not the person's own."""

STATE = re.compile(r"hidden|state|cache|memory|buffer|context|carry|env|optim|sched|process|log")
"""What else can be initialised than weights: named so in ``init_hidden``."""

INDEX = re.compile(r"(?<![^.])\d+(?![^.])")
"""A number that is one part of a name."""


@rule("FI108", "initialiser never called", Severity.WARNING, Probe.BIRTH)
def never_called(evidence: Evidence) -> Iterator[Finding]:
    """A class has a method that initialises, and nothing calls it, or it writes nothing.

    Why it hurts:
        Whoever wrote the method thinks that the model starts as it says. It starts as the layers of
        the framework start by default.

    Example:
        `def _initialize_weights(self)` in a network whose `__init__` ends without a call of it; a
        helper that looks for `m.weight` and is given the weight.

    Mend:
        Call it at the end of `__init__`, when all layers are there.

    When it is fine:
        A method that is called later, by the training script or the trainer: then let the function
        that builds the model call it too. A hook of an installed library, and a method of a class
        whose tensors something else initialises on purpose, are not worth more than a remark.

    Threshold:
        A warning where no parameter below that class was written on purpose by any line, nor made
        of values of the person's own, and they are not all vectors of zeros or ones that the class
        makes itself. Methods that start a hidden state or a cache do not count, nor those whose
        name says nothing of weights and whose code names none, or nothing that writes one.

    Source:
        Documentation of torch.nn.Module: no method but `__init__` runs by itself.
    """
    births = evidence.births
    if births is None:
        return
    listed = [(*one, False) for one in births.uncalled] + [(*one, True) for one in births.idle]
    for method, frame, ran in listed:
        owner, _, name = method.rpartition(".")
        if INSTALLED.search(frame.file) or STATE.search(name.lower()):
            continue
        homes = [layer for layer in evidence.layers if _is_a(layer, owner)]
        below = [birth for birth in births.tensors if _below(birth, homes)]
        if evidence.layers and not below:
            continue
        weights = [birth for birth in below or births.tensors if not birth.buffer]
        own = not (any(map(_written, weights)) or (weights and all(map(_made_as_meant, weights))))
        if ran and not own:
            continue
        did = "ran and wrote nothing" if ran else "was never called while the model was built"
        yield Finding(
            "FI108",
            Severity.WARNING if own else Severity.INFO,
            tuple(birth.name for birth in below if not birth.buffer),
            f"{method}, defined at {frame}, {did}"
            if own
            else f"{method}, defined at {frame}, wrote nothing; other lines initialise the tensors",
            "a write into every tensor that it is for"
            if ran
            else f"a call of self.{name}() at the end of {owner}.__init__"
            if own
            else "",
            "the layers keep the defaults of the framework, whatever the method says",
            "look at what its helpers do with what they are given, a module or a tensor"
            if ran
            else f"call self.{name}() at the end of __init__, or remove the method",
            title=f"{name} {'writes nothing' if ran else 'is never called'}",
            location=frame,
        )


def _is_a(layer: Layer, owner: str) -> bool:
    short = owner.rpartition(".")[2]
    return layer.kind == short or any(kind.endswith(f".{owner}") for kind in layer.classes)


def _below(birth: Birth, homes: list[Layer]) -> bool:
    return any(not home.path or birth.name.startswith(f"{home.path}.") for home in homes)


@rule("FI109", "callback stuck on one layer", Severity.WARNING, Probe.BIRTH)
def stuck_callback(evidence: Evidence) -> Iterator[Finding]:
    """A function that is applied to every layer initialises the same one every time.

    Why it hurts:
        One layer is initialised as often as there are layers, and all others not at all.

    Example:
        `def init(m): nn.init.normal_(net[0].weight)` in `net.apply(init)`: it should be `m.weight`.

    Mend:
        Use the argument of the callback.

    When it is fine:
        A line that runs twice because two classes of one model call the same method: that is told
        apart by the number of times.

    Threshold:
        One line wrote one tensor exactly as many times as the model has layers of that kind, or
        modules at all, and at least twice, by one scope, and none of the others.

    Source:
        Documentation of torch.nn.Module.apply: the function gets each module in turn.
    """
    births = evidence.births
    if births is None:
        return
    kinds = Counter(layer.kind for layer in evidence.layers)
    homes = {name: layer for layer in evidence.layers for name in layer.tensors}
    for line in lines(births).values():
        name = line.names[0]
        home = homes.get(name)
        if len(line.names) > 1 or home is None or not (line.own and _repeats(line)):
            continue
        others = _others(births, evidence.layers, home, name)
        times = len(line.writes)
        if others and times in (kinds[home.kind], len(evidence.layers)):
            yield Finding(
                "FI109",
                Severity.WARNING,
                (name, *others),
                f"{said(line.writes[0][1])} wrote {name} {times} times, and no other {home.kind}",
                f"each of the {kinds[home.kind]} layers of kind {home.kind} written once",
                f"{counted(len(others), 'tensor')} of the other layers keep the default",
                "use the argument of the callback in place of a fixed layer: m.weight",
                title="callback writes the same layer every time",
                location=line.frame,
                facts={"times": times, "missed": len(others)},
            )


def _repeats(line: Line) -> bool:
    first = line.writes[0][1]
    return len(line.writes) > 1 and all(
        replaces(write) and write.scope == first.scope for _, write in line.writes
    )


def _others(births: Births, layers: tuple[Layer, ...], home: Layer, name: str) -> tuple[str, ...]:
    """List the tensors of that name in the other layers of that kind, if nobody wrote them."""
    last = name.rpartition(".")[2]
    wanted = {
        tensor
        for layer in layers
        if layer.kind == home.kind and layer is not home
        for tensor in layer.tensors
        if tensor.rpartition(".")[2] == last
    }
    born = [birth for birth in births.tensors if birth.name in wanted and birth.name != name]
    return () if any(purposeful(birth) for birth in born) else tuple(birth.name for birth in born)


@rule("FI110", "layer missed", Severity.WARNING, Probe.BIRTH)
def missed_by_sweep(evidence: Evidence) -> Iterator[Finding]:
    """A line initialises a tensor in most blocks of a stack, and leaves out the others.

    Why it hurts:
        The blocks are built alike and start differently: those that were missed keep the default
        of the framework, which may be orders of magnitude away.

    Example:
        `for block in self.blocks[:-1]: nn.init.normal_(block.out.weight, std=0.02)`; a match of
        names that forgets `blocks.10`.

    Mend:
        Let the loop run over all blocks, and match names by their parts.

    When it is fine:
        The first or last of a plain list of layers, which often has a start of its own, is not
        reported; nor is a block whose tensor some other line wrote on purpose.

    Threshold:
        More than half of the tensors that have the same name but for the number of the block, the
        same shape and the same start of life were written by the line, and the rest by no line of
        the person's at all.

    Source:
        The blocks of a stack are alike by symmetry: no published recipe leaves one out.
    """
    births = evidence.births
    if births is None:
        return
    stacks = _stacks(births)
    for line in lines(births).values():
        if not line.own:
            continue
        written = set(line.names)
        missed = list[str]()
        for stack in stacks:
            hit = [birth for birth in stack if birth.name in written]
            left = [birth for birth in stack if not _written(birth)]
            if 2 * len(hit) > len(stack) and len(hit) > 1:
                missed += [birth.name for birth in left if _counts(birth, stack)]
        if missed:
            yield _missed(line, missed)


def _missed(line: Line, missed: list[str]) -> Finding:
    frame: Frame = line.frame
    return Finding(
        "FI110",
        Severity.WARNING,
        tuple(missed),
        f"{said(line.writes[0][1])} wrote {counted(len(line.names), 'tensor')}, but not "
        f"{', '.join(missed[:3])}{', ...' if len(missed) > 3 else ''}, which nothing initialises",
        f"the same start as {line.names[0]}",
        "blocks that are built alike start differently: those missed keep the default",
        "let the loop, or the match of names, reach every block",
        title="missed by the line that initialises its sisters",
        location=frame,
        facts={"missed": len(missed)},
    )


def _stacks(births: Births) -> list[list[Birth]]:
    """Sort the parameters by name without numbers, and by shape: the same tensor of each block."""
    found = defaultdict[tuple[object, ...], list[Birth]](list)
    for birth in births.tensors:
        if not birth.buffer and INDEX.search(birth.name):
            found[INDEX.sub("*", birth.name), birth.shape, birth.dtype].append(birth)
    return [stack for stack in found.values() if len(stack) > 2]


def _written(birth: Birth) -> bool:
    """Tell whether somebody gave it values on purpose, or made it of values of their own."""
    made = birth.allocation
    own = made is not None and not made.empty and not birth.writes
    return own or any(write.by in ("init", "load") for write in birth.writes)


def _made_as_meant(birth: Birth) -> bool:
    """Tell whether it is a vector of zeros or ones that the person's own line made: a fine start.

    A method that writes them again is there for a model that comes from the meta device.
    """
    return len(birth.shape) < 2 and [write.by for write in birth.writes] == ["made"]


def _counts(birth: Birth, stack: list[Birth]) -> bool:
    """Tell whether it is in a block; of a plain list of layers the ends often are different."""
    home = birth.name.rpartition(".")[0]
    in_block = not home.rpartition(".")[2].isdigit()
    return in_block or birth not in (stack[0], stack[-1])
