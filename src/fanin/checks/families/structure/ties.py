"""Weights that are to be one tensor: two after all, or one that two rules wrote."""

import math
import re
from collections.abc import Iterator

from fanin.births import Birth, Write
from fanin.checks.evidence import Evidence, Layer, Probe
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule
from fanin.checks.values import Values
from fanin.recipes import Slot
from fanin.reports.document import figure
from fanin.trace import Kind, Part, Signal

ASKS_FOR_A_TIE = re.compile(
    r"(^|_)(tie|tied|tying)(_|$)|weight_tying|share.*embed|embed.*share", re.IGNORECASE
)
"""Names of settings that ask for the embedding to be the output projection too."""

HEAD = re.compile(r"head|out|decoder|logit|proj|classif|predict|unembed|generator|fc|final|vocab")
"""Names that an output projection goes by."""

DECLARES = "transformers.modeling_utils.PreTrainedModel"
"""Models of this class declare their ties themselves; their settings alone say too little."""


@rule("FI701", "tie broken", Severity.WARNING, Probe.VALUES)
def tie_broken(evidence: Evidence) -> Iterator[Finding]:
    """The configuration says that two weights are one tensor, and there are two.

    Why it hurts:
        Each learns for itself: the model has more parameters than it was designed with, and a
        checkpoint that stores one of them loses the other.

    Example:
        A tied language model is built on the meta device; `to_empty` gives each name memory of its
        own.

    Mend:
        Tie again after the memory is there: `model.head.weight = model.embed.weight`, or
        `model.tie_weights()`.

    When it is fine:
        Where the setting is left over and two tensors are meant: set it to false.

    Threshold:
        None: two tensors do not share memory. Where nothing but a setting such as
        `tie_weights=True` asks for it, the output projection is the only Linear of the shape of the
        only embedding of that shape, and has a name that such layers have.

    Source:
        Press and Wolf (2017), Using the output embedding to improve language models.
    """
    values = evidence.values
    for one, other in dict.fromkeys([*_declared(evidence), *_asked_for(evidence)]):
        first, second = _holder(values, one), _holder(values, other)
        if first is None or second is None or first is second or first.shape != second.shape:
            continue
        equal = bool(first.digest) and first.digest == second.digest
        yield Finding(
            "FI701",
            Severity.WARNING,
            (one, other),
            f"{one} and {other} are two tensors, {'of equal values' if equal else 'not equal'}",
            f"one tensor under both names, {' x '.join(map(str, first.shape))}",
            "each learns for itself, and a checkpoint that stores one loses the other",
            f"tie again after the memory is there: let {one} be {other} (model.tie_weights())",
            title="tied weights are two tensors",
        )


def _declared(evidence: Evidence) -> list[tuple[str, str]]:
    return [pair for layer in evidence.layers for pair in layer.ties]


def _asked_for(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Find the embedding and the projection that a setting asks to be one."""
    for layer in evidence.layers:
        asked = [
            name
            for name, value in {**layer.config, **layer.settings}.items()
            if value is True and ASKS_FOR_A_TIE.search(name)
        ]
        if not asked or any(_transformers(owner) for owner in (layer, *evidence.layers[:1])):
            continue
        tables = list(_weights(evidence, layer.path, "Embedding"))
        heads = [one for one in _weights(evidence, layer.path, "Linear") if HEAD.search(one.name)]
        for table in tables:
            same = [head for head in heads if head.shape == table.shape]
            alike = [other for other in tables if other.shape == table.shape]
            if len(same) == 1 and len(alike) == 1:
                yield same[0].name, table.name


def _transformers(layer: Layer) -> bool:
    return DECLARES in layer.classes


def _weights(evidence: Evidence, path: str, kind: str) -> Iterator[Values]:
    """List the weights of the layers of a kind below a path that share no memory."""
    for layer in evidence.layers:
        name = f"{layer.path}.weight" if layer.path else "weight"
        held = evidence.values.get(name)
        below = not path or layer.path.startswith(f"{path}.")
        is_kind = any(found.endswith(f".{kind}") for found in layer.classes)
        if held is not None and below and is_kind and not held.aliases:
            yield held


def _holder(values: dict[str, Values], name: str) -> Values | None:
    if name in values:
        return values[name]
    return next((held for held in values.values() if name in held.aliases), None)


@rule("FI702", "tie clobbered", Severity.WARNING, Probe.VALUES)
def tie_clobbered(evidence: Evidence) -> Iterator[Finding]:
    """One tensor is embedding and output projection, and its scale suits only one of the two.

    Why it hurts:
        The scale of an embedding makes logits that are far too large: the first loss is many times
        that of a guess, and the first part of training only takes it back. Where two rules wrote
        the tensor, the one that came last decides, whichever it is.

    Example:
        `head.weight = embed.weight` with the default of `nn.Embedding`, a standard deviation of 1:
        with 64 features the logits have one of 8.

    Mend:
        Initialise the shared tensor once, after it is tied, as the projection:
        `nn.init.normal_(embed.weight, std=width ** -0.5)` or 0.02, and scale the embedding up where
        it is used if the model needs that.

    When it is fine:
        Where the logits are scaled down after the projection, as T5 does: the logits that reach the
        loss are what is looked at, if the pass was made.

    Threshold:
        Random logits of variance v add v / 2 to the cross-entropy of C classes. A warning where
        that is more than the ln C of a guess, so that the loss doubles at least. Two rules: both
        stand in the person's code, and their standard deviations differ by more than a quarter and
        by more than five standard errors.

    Source:
        The expectation of a log-normal variable, exp(v / 2): Johnson, Kotz and Balakrishnan (1994),
        Continuous Univariate Distributions, chapter 14.
    """
    for slot in evidence.slots:
        held = evidence.values.get(slot.name)
        if held is None or len(slot.shape) != 2 or slot.shape[0] < 2 or not held.std > 0:
            continue
        logits = _logits(evidence, slot.name)
        if logits is not None and logits**2 / 2 > math.log(slot.shape[0]):
            yield _too_large(slot, held.std, logits)
            continue
        birth = None if evidence.births is None else evidence.births.of(slot.name)
        two = _two_rules(birth) if slot.aliases and birth is not None else None
        if two is not None:
            yield _disagree(slot.names, *two)


def _too_large(slot: Slot, std: float, logits: float) -> Finding:
    classes, width = slot.shape
    guess, suited, excess = math.log(classes), width**-0.5, logits**2 / 2
    return Finding(
        "FI702",
        Severity.WARNING,
        slot.names,
        f"as output projection its std {figure(std)} makes logits of std {figure(logits)}, which "
        f"adds {figure(excess)} to the loss",
        f"a loss near ln {classes} = {figure(guess)}: logits of std 1 or less, as std "
        f"{figure(suited)} makes them",
        "the scale is that of an embedding: the first part of training only takes it back",
        "initialise the shared tensor once, after it is tied, as the projection: "
        f"nn.init.normal_(weight, std={figure(suited)})",
        title="tied weight has the scale of an embedding",
        facts={"std": std, "logits": logits, "excess": excess},
    )


def _disagree(names: tuple[str, ...], first: Write, last: Write) -> Finding:
    return Finding(
        "FI702",
        Severity.WARNING,
        names,
        f"{first.frames[0]} gave it std {figure(first.after.std)}, then {last.frames[0]} gave the "
        f"same memory std {figure(last.after.std)}",
        "one rule for one tensor",
        "the rule that comes last decides for both uses, and the other does not count",
        "initialise the shared tensor once, after it is tied, or tie after both are initialised",
        title="tied weight written by two rules",
        location=last.frames[0],
        facts={"first": first.after.std, "last": last.after.std},
    )


def _logits(evidence: Evidence, name: str) -> float | None:
    """Measure the logits where the loss takes them, if they come from this tensor."""
    trace = evidence.trace
    if trace is None:
        return None
    parameter = next((one for one in trace.parameters if one.name == name), None)
    uses = () if parameter is None else parameter.uses
    made = {use.op for use in uses if use.part is Part.KERNEL}
    looked_up = any(use.part is Part.TABLE for use in uses)
    if not made or not looked_up:
        return None
    ends = {index for op in trace.ops if op.kind in (Kind.LOSS, Kind.OUTPUT) for index in op.inputs}
    signals = [_straight(evidence, index, made) for index in ends]
    return max((_spread(signal) for signal in signals if signal is not None), default=None)


def _straight(evidence: Evidence, index: int, made: set[int]) -> Signal | None:
    """Follow the signal that the loss takes back to the projection, through factors alone."""
    ops = evidence.trace.ops if evidence.trace is not None else ()
    at = index
    for _ in range(8):
        if at in made:
            return ops[index].forward
        if len(ops[at].inputs) != 1 and ops[at].kind not in (Kind.MULTIPLY, Kind.ADD):
            return None
        if not ops[at].inputs:
            return None
        at = ops[at].inputs[0]
    return None


def _spread(signal: Signal) -> float:
    return signal.std if signal.finite else 0.0


def _two_rules(birth: Birth) -> tuple[Write, Write] | None:
    """Find the last two rules of the person's that wrote the whole tensor, if they disagree."""
    rules = [
        write
        for write in birth.writes
        if write.by == "init" and write.whole and write.frames and write.after.std > 0
    ]
    if len(rules) < 2 or rules[-1] is not birth.last:
        return None
    last = rules[-1]
    other = [w for w in rules[:-1] if str(w.frames[0]) != str(last.frames[0])]
    if not other:
        return None
    first = other[-1]
    ratio = first.after.std / last.after.std
    # Relative sampling error of a ratio of two standard deviations of n draws each: 1 / sqrt(n).
    margin = max(0.25, 5 / math.sqrt(max(1, last.of)))
    return (first, last) if abs(math.log(ratio)) > math.log1p(margin) else None
