"""Networks written in one line, such as ``64-128-128-10 relu norm=layer``.

A line says everything about a plain network of fully connected layers. A hidden layer is linear,
then come its norm, its activation and its dropout, as far as it has them; the last layer is linear,
then comes the output activation. The parameters are named ``layers.0.weight`` (fan_out, fan_in),
``layers.0.bias``, ..., and those of the norms ``norms.0.weight``, ``norms.0.bias``, ....
"""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from fanin.calls import format_number
from fanin.errors import FaninError, nearest
from fanin.theory import activation, activation_names

Norm = Literal["none", "layer", "batch"]
"""Nothing, layer normalisation or batch normalisation of every hidden layer."""

NORMS: tuple[Norm, ...] = get_args(Norm)
"""The norms, by name."""

ACTIVATIONS = tuple(name for name in activation_names() if name != "prelu")
"""What hidden layers can have; a prelu would bring parameters that no line describes."""

OUTPUTS = (*ACTIVATIONS, "softmax")
"""What the last layer can have."""

_OPTIONS = {"norm": "norm=layer", "dropout": "dropout=0.1", "bias": "bias=no"}


@dataclass(frozen=True)
class Network:
    """A network of fully connected layers.

    Attributes:
        sizes: Inputs, units of each hidden layer, outputs.
        hidden: Activation of the hidden layers; "linear" where there are none.
        output: Activation of the last layer.
        bias: Whether the layers have biases.
        norm: The norm of the hidden layers.
        dropout: Fraction of the hidden units that a training step leaves out.

    Raises:
        FaninError: A value is out of its range, or has no layer to act on.

    Example:
        >>> network = Network.parse("4-8-1 relu sigmoid")
        >>> network.hidden, network.output, network.shapes["layers.0.weight"]
        ('relu', 'sigmoid', (8, 4))
        >>> print(Network((4, 1), output="sigmoid"))
        4-1 sigmoid
    """

    sizes: tuple[int, ...]
    hidden: str = "linear"
    output: str = "linear"
    bias: bool = True
    norm: Norm = "none"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if len(self.sizes) < 2 or min(self.sizes) < 1:
            raise FaninError(
                "a network needs at least two sizes, inputs and outputs, all of them at least 1, "
                f"got {'-'.join(map(str, self.sizes)) or 'none'}"
            )
        _norm(self.norm)
        if not 0 <= self.dropout < 1:
            raise FaninError(
                f"dropout must be at least 0 and below 1, got {format_number(self.dropout)}"
            )
        for name, choices in (("hidden", ACTIVATIONS), ("output", OUTPUTS)):
            canonical = _activation(getattr(self, name), choices, name)
            object.__setattr__(self, name, canonical)  # equal networks compare equal
        if self.output == "softmax" and self.sizes[-1] == 1:
            raise FaninError("a softmax over one output is always 1: write sigmoid, or two outputs")
        idle = [part for part in (self.hidden, *self._options) if part not in {"linear", "bias=no"}]
        if idle and not self.hidden_sizes:
            raise FaninError(
                f"{idle[0]} is for hidden layers, and {self.sizes[0]}-{self.sizes[-1]} has none: "
                f"leave it out or add a layer, such as {self.sizes[0]}-16-{self.sizes[-1]}"
            )

    @classmethod
    def parse(cls, text: str) -> "Network":
        """Read a network from its line.

        Args:
            text: Sizes joined by ``-``; then one activation, which is that of the hidden layers
                or, where there are none, of the output; or two, hidden and output; then, in any
                order, ``norm=none|layer|batch``, ``dropout=0.1`` and ``bias=yes|no``. An output
                that is not named is linear.

        Returns:
            The network.

        Raises:
            FaninError: The line is not such a network; the message says what is wrong with it.

        Example:
            >>> Network.parse("4-1 sigmoid") == Network((4, 1), output="sigmoid")
            True
        """
        sizes, words, options = _split(text)
        deep = len(sizes) > 2
        joined = "-".join(map(str, sizes))
        if deep and not words:
            raise FaninError(
                f'"{text}" does not say which activation its hidden layers have: write '
                f'"{joined} relu", or "{joined} linear" for a deep linear network'
            )
        if len(words) > 1 + deep:
            room = "two activations, hidden and output" if deep else "one activation, its output's"
            raise FaninError(f'{joined} takes {room}, and "{text}" has {len(words)}')
        hidden, output = (*words, "linear")[:2] if deep else ("linear", *words, "linear")[:2]
        return cls(
            sizes,
            hidden,
            output,
            bias=_bias(options.get("bias", "yes")),
            norm=_norm(options.get("norm", "none")),
            dropout=_dropout(options.get("dropout", "0")),
        )

    def __str__(self) -> str:
        hidden = [self.hidden] if self.hidden_sizes else []
        output = [self.output] if self.output != "linear" else []
        return " ".join(["-".join(map(str, self.sizes)), *hidden, *output, *self._options])

    @property
    def hidden_sizes(self) -> tuple[int, ...]:
        """Units of each hidden layer."""
        return self.sizes[1:-1]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each parameter by its name, layers first, then norms."""
        shapes = dict[str, tuple[int, ...]]()
        for layer, (fan_in, fan_out) in enumerate(zip(self.sizes, self.sizes[1:], strict=False)):
            shapes[f"layers.{layer}.weight"] = (fan_out, fan_in)
            if self.bias:
                shapes[f"layers.{layer}.bias"] = (fan_out,)
        if self.norm != "none":
            for layer, units in enumerate(self.hidden_sizes):
                shapes[f"norms.{layer}.weight"] = (units,)
                shapes[f"norms.{layer}.bias"] = (units,)
        return shapes

    @property
    def _options(self) -> list[str]:
        """The options that are not at their defaults, as written."""
        return [
            *([f"norm={self.norm}"] if self.norm != "none" else []),
            *([f"dropout={format_number(self.dropout)}"] if self.dropout else []),
            *(["bias=no"] if not self.bias else []),
        ]


def _split(text: str) -> tuple[tuple[int, ...], list[str], dict[str, str]]:
    """Take a line apart into sizes, activation words and options."""
    first, *rest = text.split() or [""]
    if not re.fullmatch(r"\d{1,9}(-\d{1,9})+", first):
        raise FaninError(
            f'cannot read "{text}" as a network: it must begin with its sizes, whole numbers '
            'joined by "-" without spaces, such as "4-1 sigmoid" or "64-128-10 relu"'
        )
    words, options = list[str](), dict[str, str]()
    for word in rest:
        option = re.fullmatch(r"(\w+)=(.*)", word)
        if option is None:
            words.append(word)
            continue
        name, value = option.groups()
        if name not in _OPTIONS:
            raise FaninError(
                f'a network has no option "{name}"{nearest(name, _OPTIONS)} '
                f"(it has {', '.join(_OPTIONS)})"
            )
        if name in options:
            raise FaninError(f'"{text}" gives {name} twice')
        options[name] = value
    return tuple(int(size) for size in first.split("-")), words, options


def _activation(word: str, choices: tuple[str, ...], layers: str) -> str:
    """Print an activation in full, if these layers can have it."""
    name = word.partition("(")[0]
    if name == "softmax" and word in choices:
        return word
    if name == "softmax":
        raise FaninError(
            'softmax is for the output: name the hidden activation first, such as "relu softmax"'
        )
    try:
        found = activation(word)
    except FaninError:
        if name in choices:  # the name is right, and the message is about its parameter
            raise
        found = None
    if found is None or found.name not in choices:
        hints = (*choices, *_OPTIONS.values())
        raise FaninError(
            f'there is no {layers} activation "{word}"{nearest(word, hints)} '
            f"(choose from {', '.join(choices)})"
        )
    return str(found)


def _norm(word: str) -> Norm:
    for norm in NORMS:
        if word == norm:
            return norm
    raise FaninError(f"norm must be {_either(NORMS)}, got {word!r}{nearest(word, NORMS)}")


def _bias(word: str) -> bool:
    if word not in {"yes", "no"}:
        raise FaninError(f"bias must be yes or no, got {word!r}")
    return word == "yes"


def _dropout(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise FaninError(f"dropout must be a number, got {word!r}") from None


def _either(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
