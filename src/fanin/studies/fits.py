"""Whether a network of the grammar fits the data, and which loss the two call for.

The two cross-entropies work on logits. The sigmoid of the one and the softmax of the other are part
of the loss, so to name them as the output or to leave the output linear is the same training. Any
other output would bend the logits before the loss bends them again, which is nearly always a slip,
and is refused. The mean squared error takes every output as it is.
"""

from collections.abc import Mapping
from dataclasses import replace

from fanin.errors import FaninError
from fanin.studies.data import Data
from fanin.studies.design import Design, Loss, check_loss
from fanin.studies.grammar import Network

ABSORBED: Mapping[Loss, str] = {"bce": "sigmoid", "cross_entropy": "softmax"}
"""The output activation that is part of a loss."""

_LISTED = 8  # names in a message; more would bury it


def check_fits(network: Network, data: Data, loss: str | None = None) -> Loss:
    """Hold a network to the data it is to learn, and choose the loss.

    - Two classes: one output calls for ``"bce"``, two for ``"cross_entropy"``.
    - More classes: one output for each, ``"cross_entropy"``.
    - Regression: one output for each target column, ``"mse"``.
    - ``"mse"`` may be asked for with classes, too; the target is then 0 or 1 for one output, and
      one-hot for one output per class.

    Args:
        network: The network.
        data: The data.
        loss: The loss asked for; None for the one that is called for.

    Returns:
        The name of the loss.

    Raises:
        FaninError: Inputs and features, outputs and target, output activation and loss do not go
            together. The message writes the network that would fit.

    Example:
        >>> from fanin.studies.data import load
        >>> check_fits(Network.parse("4-16-3 relu"), load("iris"))
        'cross_entropy'
    """
    _check_inputs(network, data)
    _check_outputs(network, data)
    called_for = _called_for(network, data)
    chosen = called_for if loss is None else check_loss(loss)
    if chosen not in {called_for, "mse"}:
        raise FaninError(
            f'the loss of "{network}" on {data.name} must be {called_for}'
            f"{'' if called_for == 'mse' else ' or mse'}, got {chosen}{_why_not(data, chosen)}"
        )
    absorbed = ABSORBED.get(chosen)
    if absorbed is not None and network.output not in {"linear", absorbed}:
        raise FaninError(
            f'"{network}" ends in {network.output}, and the loss {chosen} has the {absorbed} in '
            f'it: write "{replace(network, output=absorbed)}", or ask for the loss mse, which '
            f"takes {network.output} as it is"
        )
    return chosen


def check_outputs(
    design: Design, data: Data, batch: tuple[int, ...], outputs: tuple[int, ...]
) -> None:
    """Hold what a network of the person's own puts out to what its loss takes.

    Args:
        design: The study.
        data: The data.
        batch: Shape of a batch of features.
        outputs: Shape of what the network makes of it.

    Raises:
        FaninError: It is not one row of the right width for each example.
    """
    loss = design.loss
    numbers = len(data.classes) or len(data.target_names)
    wanted = {
        "bce": {1},
        "cross_entropy": {numbers},
        "mse": {numbers, 1} if len(data.classes) == 2 else {numbers},
    }[loss]
    if len(outputs) == 2 and outputs[0] == batch[0] and outputs[1] in wanted:
        return
    advice = ""
    if loss == "bce" and outputs == (batch[0], len(data.classes)):
        advice = '; for one logit per class the loss is "cross_entropy"'
    if loss == "cross_entropy" and len(data.classes) == 2 and outputs == (batch[0], 1):
        advice = '; for one logit the loss is "bce"'
    expected = " or ".join(str((batch[0], width)) for width in sorted(wanted))
    raise FaninError(
        f"the network {design.network} turned a batch of shape {batch} into outputs of shape "
        f"{outputs}; the loss {loss} on {data.name} needs {expected}{advice}"
    )


def _check_inputs(network: Network, data: Data) -> None:
    shape = data.train.features.shape[1:]
    if len(shape) != 1:
        raise FaninError(
            f'"{network}" takes rows of numbers, and the examples of {data.name} have the shape '
            f"{shape}: pass X.reshape(len(X), -1), or a function that builds a network for them"
        )
    if network.sizes[0] != shape[0]:
        names = ", ".join(data.feature_names[:_LISTED])
        more = f" and {shape[0] - _LISTED} more" if shape[0] > _LISTED else ""
        fitting = replace(network, sizes=(shape[0], *network.sizes[1:]))
        raise FaninError(
            f'"{network}" has {_count(network.sizes[0], "input")}, and {data.name} has '
            f'{_count(shape[0], "feature")} ({names}{more}): write "{fitting}"'
        )


def _check_outputs(network: Network, data: Data) -> None:
    outputs, output = network.sizes[-1], network.output
    classes, targets = len(data.classes), len(data.target_names)
    if data.kind == "regression":
        if outputs == targets:
            return
        what, wanted = _count(targets, "target column"), targets
    else:
        if outputs == classes or (outputs == 1 and classes == 2):
            return
        what = f"{classes} classes ({', '.join(data.classes[:_LISTED])}"
        what += f" and {classes - _LISTED} more)" if classes > _LISTED else ")"
        wanted = 1 if classes == 2 and output != "softmax" else classes
    if wanted == 1 and output == "softmax":
        output = "linear"
    if wanted > 1 and output == "sigmoid" and data.kind == "classification":
        output = "softmax"
    fitting = replace(network, sizes=(*network.sizes[:-1], wanted), output=output)
    raise FaninError(
        f'"{network}" has {_count(outputs, "output")}, and the target of {data.name} has {what}: '
        f'write "{fitting}"'
    )


def _called_for(network: Network, data: Data) -> Loss:
    if data.kind == "regression":
        return "mse"
    return "bce" if network.sizes[-1] == 1 else "cross_entropy"


def _why_not(data: Data, loss: Loss) -> str:
    if data.kind == "regression":
        return ": the target is a number, not a class"
    return ": it needs one output" if loss == "bce" else ": it needs one output for each class"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
