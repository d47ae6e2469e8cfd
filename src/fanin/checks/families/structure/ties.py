"""Weights that are to be one tensor, and are two."""

import re
from collections.abc import Iterator

from fanin.checks.evidence import Evidence, Layer, Probe
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule
from fanin.checks.values import Values

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
