"""The update rules a study can train with, as values.

The defaults and the place of epsilon differ between frameworks. Here every rule has one definition,
and a trainer follows it whatever its framework would do.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from fanin.calls import Value, format_number, parse_call
from fanin.errors import FaninError, nearest

_DEFAULTS: Mapping[str, Mapping[str, float]] = {
    "sgd": {"rate": 0.01},
    "momentum": {"rate": 0.01, "momentum": 0.9},
    "rmsprop": {"rate": 0.001, "decay": 0.9, "epsilon": 1e-7},
    "adam": {"rate": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
    "adamw": {
        "rate": 0.001,
        "beta1": 0.9,
        "beta2": 0.999,
        "epsilon": 1e-8,
        "weight_decay": 0.01,
    },
}

OPTIMIZERS = tuple(_DEFAULTS)
"""The optimisers, by name."""


@dataclass(frozen=True, init=False)
class Optimizer:
    """An update rule with its settings; with g the gradient of a batch's loss it is one of these.

    - sgd: ``w -= rate g``
    - momentum: ``v = momentum v + g``, then ``w -= rate v``
    - rmsprop: ``s = decay s + (1 - decay) g^2``, then ``w -= rate g / sqrt(s + epsilon)``
    - adam: ``w -= rate m / (sqrt(s) + epsilon)``, with m and s the running means of g and g^2,
      each corrected for its start at zero
    - adamw: ``w -= rate weight_decay w``, then adam

    A setting left out has the default of its rule; one that the rule has no term for is zero.

    Attributes:
        name: One of `OPTIMIZERS`.
        rate: Learning rate: 0.01 for sgd and momentum, 0.001 for the others.
        momentum: What is kept of the last step, 0.9.
        decay: What rmsprop keeps of its running mean, 0.9.
        betas: What adam and adamw keep of the running means of g and of g^2, (0.9, 0.999).
        epsilon: Keeps the quotient finite: 1e-7 for rmsprop, 1e-8 for adam and adamw.
        weight_decay: What adamw takes off a weight in each step, in units of the rate, 0.01.

    Raises:
        FaninError: There is no such rule, or a setting is out of range or has no place in it.

    Example:
        >>> print(Optimizer("rmsprop"))
        rmsprop(rate=0.001, decay=0.9, epsilon=1e-07)

    References:
        Sutskever, Martens, Dahl and Hinton (2013), section 2, with the rate outside of the sum, as
        in PyTorch. Tieleman and Hinton (2012), lecture 6.5, with epsilon inside the root, as in
        Keras 3. Kingma and Ba (2015), algorithm 1. Loshchilov and Hutter (2019), algorithm 2.
    """

    name: str
    rate: float
    momentum: float
    decay: float
    betas: tuple[float, float]
    epsilon: float
    weight_decay: float

    def __init__(
        self,
        name: str,
        rate: float | None = None,
        *,
        momentum: float | None = None,
        decay: float | None = None,
        betas: tuple[float, float] | None = None,
        epsilon: float | None = None,
        weight_decay: float | None = None,
    ) -> None:
        if name not in _DEFAULTS:
            raise FaninError(
                f'there is no optimiser "{name}"{nearest(name, OPTIMIZERS)} '
                f"(choose from {', '.join(OPTIMIZERS)})"
            )
        beta1, beta2 = betas or (None, None)
        values = {
            "name": name,
            "rate": _setting(name, "rate", rate),
            "momentum": _setting(name, "momentum", momentum),
            "decay": _setting(name, "decay", decay),
            "betas": (_setting(name, "beta1", beta1), _setting(name, "beta2", beta2)),
            "epsilon": _setting(name, "epsilon", epsilon),
            "weight_decay": _setting(name, "weight_decay", weight_decay),
        }
        for key, value in values.items():
            object.__setattr__(self, key, value)  # the one way to fill a frozen value

    @classmethod
    def parse(cls, text: str, rate: float | None = None) -> "Optimizer":
        """Read an optimiser from its name, with settings or without.

        Args:
            text: Such as ``"adam"``, ``"sgd(0.1)"`` or ``"rmsprop(decay=0.95)"``; the rate comes
                first and may go without its name.
            rate: The rate, where the text has none.

        Returns:
            The optimiser, every setting filled in.

        Raises:
            FaninError: The text is not such a call, or it and `rate` give different rates.

        Example:
            >>> print(Optimizer.parse("momentum", rate=0.1))
            momentum(rate=0.1, momentum=0.9)
        """
        call = parse_call(text)
        known = _DEFAULTS.get(call.name, {})
        if len(call.args) > 1:
            raise FaninError(f"cannot read {text!r}: every setting after the rate needs its name")
        settings = dict[str, float]()
        for key, value in (*(("rate", value) for value in call.args), *call.kwargs):
            if key in settings:
                raise FaninError(f"cannot read {text!r}: {key} is given twice")
            if known and key not in known:
                raise FaninError(
                    f'{call.name} has no setting "{key}"{nearest(key, known)} '
                    f"(it has {', '.join(known)})"
                )
            settings[key] = _number(text, key, value)
        if rate is not None and "rate" in settings and settings["rate"] != rate:
            raise FaninError(f"two rates are given: {text!r} and rate={format_number(rate)}")
        written = settings.pop("rate", rate)
        beta1, beta2 = (settings.pop(key, known.get(key, 0.0)) for key in ("beta1", "beta2"))
        return cls(call.name, written, betas=(beta1, beta2), **settings)

    def __str__(self) -> str:
        flat = {**vars(self), "beta1": self.betas[0], "beta2": self.betas[1]}
        settings = (f"{key}={format_number(flat[key])}" for key in _DEFAULTS[self.name])
        return f"{self.name}({', '.join(settings)})"


def _number(text: str, key: str, value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FaninError(f"cannot read {text!r}: {key} must be a number, got {value!r}")
    return float(value)


def _setting(name: str, key: str, value: float | None) -> float:
    """Fill in a setting's default, or hold the one given to its range."""
    default = _DEFAULTS[name].get(key)
    if default is None:
        if value:
            raise FaninError(f"{name} has no {key}, got {key}={format_number(value)}")
        return 0.0
    if value is None:
        return default
    if key in {"rate", "epsilon"}:
        fits, wanted = 0 < value < math.inf, "a finite number above 0"
    elif key == "weight_decay":
        fits, wanted = 0 <= value < math.inf, "a finite number, 0 or above"
    else:
        fits, wanted = 0 <= value < 1, "at least 0 and below 1"
    if not fits:
        raise FaninError(f"{key} of {name} must be {wanted}, got {format_number(value)}")
    return float(value)
