"""What a person asked for: the law that an initialiser's name and arguments stand for.

A birth keeps each call as text. Read back, it says what the tensor was to hold, by what the
framework's initialisers do, so that asking and holding can be told apart.
"""

import ast
import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from fanin.births import Birth, Births, Write
from fanin.draws import TruncatedNormal
from fanin.errors import FaninError
from fanin.recipes import stored_fans
from fanin.schemes import Scheme, constant, normal, truncated_normal, uniform

Arguments = dict[str, float | str | None]


@dataclass(frozen=True)
class Asked:
    """What one write was to do.

    Attributes:
        write: The write.
        name: The initialiser without its module: ``"kaiming_normal_"``.
        arguments: Its arguments by name; those left out are not there.
        scheme: What it fills a tensor with; None where that is no law.
        std: The standard deviation that was asked for, before any cut; None where none was.
    """

    write: Write
    name: str
    arguments: Arguments
    scheme: Scheme | None
    std: float | None


_NAMES: dict[str, tuple[str, ...]] = {
    "normal_": ("mean", "std"),
    "uniform_": ("a", "b"),
    "trunc_normal_": ("mean", "std", "a", "b"),
    "constant_": ("val",),
    "fill_": ("val",),
    "kaiming_normal_": ("a", "mode", "nonlinearity"),
    "kaiming_uniform_": ("a", "mode", "nonlinearity"),
    "xavier_normal_": ("gain",),
    "xavier_uniform_": ("gain",),
    "orthogonal_": ("gain",),
    "sparse_": ("sparsity", "std"),
}
"""Arguments of each initialiser after the tensor, in order. Methods of a tensor take the same."""

_ALIASES = {"to": "b", "value": "val"}


def asked(births: Births | None, name: str) -> Asked | None:
    """Read what was asked of a tensor last.

    Args:
        births: Who wrote what; None where no build was watched.
        name: The tensor.

    Returns:
        What was asked, where the last write of all filled the whole tensor by an initialiser whose
        arguments can be read; else None.

    Example:
        >>> from fanin.births import Snapshot
        >>> now = Snapshot(0.0, 0.4, -1.0, 1.0, 0.0, "")
        >>> write = Write(0, "nn.init.normal_", "std=0.4", (), "init", (), 8, 8, None, now)
        >>> asked(Births((Birth("w", (8,), "float32", False, writes=(write,)),)), "w").std
        0.4
    """
    birth = None if births is None else births.of(name)
    # What is made of other tensors at every use is not what was asked of any of them.
    if birth is None or not birth.writes or "parametrizations" in birth.name:
        return None
    last = birth.writes[-1]
    if not last.whole or birth.last is not last:
        return None
    return _read(birth, last)


def _read(birth: Birth, write: Write) -> Asked | None:
    name = write.function.rpartition(".")[2]
    arguments = _arguments(name, write.arguments)
    if arguments is None:
        return None
    std = arguments.get("std")
    asked_std = float(std) if isinstance(std, int | float) else None
    try:
        made = _SCHEMES[name](arguments, birth.shape) if name in _SCHEMES else None
    except (FaninError, TypeError, ZeroDivisionError):
        return None
    return Asked(write, name, arguments, made, asked_std)


def _arguments(name: str, text: str) -> Arguments | None:
    names = _NAMES.get(name)
    if names is None:
        return None
    try:
        # `from` is the name of an argument of `uniform_`, and a word of the language.
        readable = re.sub(r"\bfrom=", "a=", text)
        call = ast.parse(f"f({readable})", mode="eval").body
    except SyntaxError:
        return None
    if not isinstance(call, ast.Call) or len(call.args) > len(names):
        return None
    given = dict[str, ast.expr](zip(names, call.args, strict=False))
    given |= {_ALIASES.get(k.arg, k.arg): k.value for k in call.keywords if k.arg is not None}
    found = Arguments()
    for key, value in given.items():
        if key not in names:
            continue
        try:
            read = ast.literal_eval(value)
        except ValueError:
            return None
        if not isinstance(read, int | float | str | None):
            return None
        found[key] = read
    return found


def _number(arguments: Arguments, name: str, default: float) -> float:
    value = arguments.get(name, default)
    return float(value) if value is not None else default


def _normal(arguments: Arguments, shape: tuple[int, ...]) -> Scheme:
    del shape
    return normal(_number(arguments, "mean", 0.0), _number(arguments, "std", 1.0))


def _uniform(arguments: Arguments, shape: tuple[int, ...]) -> Scheme:
    del shape
    return uniform(_number(arguments, "a", 0.0), _number(arguments, "b", 1.0))


def _constant(arguments: Arguments, shape: tuple[int, ...]) -> Scheme:
    del shape
    return constant(_number(arguments, "val", 0.0))


def _truncated(arguments: Arguments, shape: tuple[int, ...]) -> Scheme | None:
    """Give the law of `trunc_normal_`, whose bounds are absolute and which is not made wider."""
    del shape
    mean, std = _number(arguments, "mean", 0.0), _number(arguments, "std", 1.0)
    low, high = _number(arguments, "a", -2.0), _number(arguments, "b", 2.0)
    if mean or low != -high or not std > 0:
        return None
    cut = high / std
    if cut >= 6:  # a cut so far out is none
        return normal(0, std)
    if cut < 0.1:  # the middle of a Gaussian is flat
        return uniform(low, high)
    # The scheme makes up for the cut; the initialiser does not.
    return truncated_normal(std / TruncatedNormal(0.0, 1.0, cut).parent_std, cut)


def _kaiming(arguments: Arguments, shape: tuple[int, ...], law: str) -> Scheme | None:
    fans = stored_fans(shape)
    slope = arguments.get("a", 0.0)
    if fans is None or not isinstance(slope, int | float):
        return None
    fan = fans.fan_out if arguments.get("mode", "fan_in") == "fan_out" else fans.fan_in
    kind = arguments.get("nonlinearity", "leaky_relu")
    gains = {"relu": 2.0, "leaky_relu": 2 / (1 + slope**2), "linear": 1.0, "tanh": (5 / 3) ** 2}
    if kind not in gains:
        return None
    return _spread(math.sqrt(gains[kind] / fan), law)


def _xavier(arguments: Arguments, shape: tuple[int, ...], law: str) -> Scheme | None:
    fans = stored_fans(shape)
    if fans is None:
        return None
    return _spread(_number(arguments, "gain", 1.0) / math.sqrt(fans.mean), law)


def _spread(std: float, law: str) -> Scheme:
    bound = math.sqrt(3) * std
    return normal(0, std) if law == "normal" else uniform(-bound, bound)


_SCHEMES: dict[str, Callable[[Arguments, tuple[int, ...]], Scheme | None]] = {
    "normal_": _normal,
    "uniform_": _uniform,
    "trunc_normal_": _truncated,
    "constant_": _constant,
    "fill_": _constant,
    "kaiming_normal_": lambda arguments, shape: _kaiming(arguments, shape, "normal"),
    "kaiming_uniform_": lambda arguments, shape: _kaiming(arguments, shape, "uniform"),
    "xavier_normal_": lambda arguments, shape: _xavier(arguments, shape, "normal"),
    "xavier_uniform_": lambda arguments, shape: _xavier(arguments, shape, "uniform"),
}
