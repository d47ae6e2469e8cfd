"""The one small grammar of fanin's texts: a name with arguments, such as ``he_normal(gain=2)``.

Schemes, activations and optimisers are all written this way, on the command line and in files. A
text is read with Python's own parser and may hold literals and bare words only, so nothing in it is
ever executed.
"""

import ast
from dataclasses import dataclass

from fanin.errors import FaninError

Value = float | int | str | bool | None
"""What an argument can be: a literal, or a bare word, which is read as text."""


@dataclass(frozen=True)
class Call:
    """A name and its arguments, as written.

    Attributes:
        name: The name before the parenthesis.
        args: Positional arguments, in order.
        kwargs: Keyword arguments as (name, value), in order.
    """

    name: str
    args: tuple[Value, ...] = ()
    kwargs: tuple[tuple[str, Value], ...] = ()


def parse_call(text: str) -> Call:
    """Read one call.

    Args:
        text: A name, with or without arguments.

    Returns:
        The parts of it.

    Raises:
        FaninError: The text is not a name with literal arguments.

    Example:
        >>> parse_call("truncated_normal(0.02, cut=3)")
        Call(name='truncated_normal', args=(0.02,), kwargs=(('cut', 3),))
        >>> parse_call("he_normal(gain=tanh)").kwargs
        (('gain', 'tanh'),)
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        if isinstance(tree, ast.Name):
            return Call(tree.id)
        if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
            args = tuple(_value(node) for node in tree.args)
            kwargs = tuple((_keyword(word), _value(word.value)) for word in tree.keywords)
            return Call(tree.func.id, args, kwargs)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    raise FaninError(f"cannot read {text!r}: write a name with arguments, such as normal(std=0.01)")


def split_calls(text: str) -> tuple[str, ...]:
    """Split a comma-separated list of calls, leaving the commas inside parentheses alone.

    Args:
        text: Such as ``"zeros, normal(0, 0.01), he_normal"``.

    Returns:
        The parts, stripped; empty parts are dropped.

    Example:
        >>> split_calls("zeros, normal(0, 0.01),he_normal")
        ('zeros', 'normal(0, 0.01)', 'he_normal')
    """
    parts, depth, start = list[str](), 0, 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    parts.append(text[start:])
    return tuple(part.strip() for part in parts if part.strip())


def format_number(value: float) -> str:
    """Print a number as briefly as it can be read back exactly.

    Args:
        value: Any float or integer.

    Returns:
        ``"0.05"``, ``"2"`` for 2.0, ``"1e-07"``.

    Example:
        >>> format_number(2.0), format_number(0.1)
        ('2', '0.1')
    """
    number = float(value)
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def _keyword(word: ast.keyword) -> str:
    if word.arg is None:
        raise ValueError("** is not an argument")
    return word.arg


def _value(node: ast.expr) -> Value:
    """Read a literal, a signed number, or a bare word; ``leaky_relu(0.2)`` stays text."""
    if isinstance(node, ast.Name | ast.Call):
        return ast.unparse(node)
    value = ast.literal_eval(node)
    if value is None or isinstance(value, float | int | str | bool):
        return value
    raise ValueError(f"{ast.unparse(node)} is not a number, a word or a truth value")
