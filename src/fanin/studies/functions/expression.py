"""Functions as a person writes them: ``5x^2 + 3x - 4``, ``sin(3x) + x^2/10``.

The text is cut into tokens, and whatever is not a number, x, a known name, an operator or a
parenthesis is refused before anything is computed. What is left is read by the usual rules of
precedence, with the multiplication sign left out where mathematics leaves it out. Python's own
parser and evaluator have no part in it.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import e, isfinite, pi

import numpy as np
from numpy.typing import ArrayLike

from fanin.errors import FaninError, nearest
from fanin.studies.functions.jets import FUNCTIONS, Jet, Values

LONGEST = 1000
"""Characters of a text; more is not a function that a person looks at."""

DEEPEST = 60
"""Parentheses inside parentheses."""

HIGHEST = 50
"""Degree of a polynomial whose coefficients are worked out."""

CONSTANTS = {"pi": pi, "e": e}
"""Numbers with a name."""

LARGEST = 300
"""Bits of an exact coefficient."""

_TOKEN = re.compile(
    r"\s*(?:(\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)"
    r"|([A-Za-z_]+)|(\*\*|[-+*/^()])|(\S))"
)

Polynomial = tuple[Fraction, ...]
"""Coefficients, the constant first."""


@dataclass(frozen=True)
class Term:
    """A part of a function.

    Attributes:
        at: Gives value and derivatives at some points.
        polynomial: Its coefficients, if it is a polynomial.
    """

    at: Callable[[Values], Jet]
    polynomial: Polynomial | None = None

    @property
    def number(self) -> Fraction | None:
        """The number that it is, if it is one."""
        known = self.polynomial
        return known[0] if known is not None and len(known) == 1 else None


@dataclass(frozen=True)
class Function:
    """A function of x.

    Attributes:
        text: How it was written.
        term: How it is computed.

    Example:
        >>> f = Function.parse("5x^2 + 3x - 4")
        >>> jet = f(4.0)
        >>> jet.value.item(), jet.slope.item(), jet.bend.item()
        (88.0, 43.0, 10.0)
        >>> [float(c) for c in f.polynomial]
        [-4.0, 3.0, 5.0]
    """

    text: str
    term: Term = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> "Function":
        """Read a function of x.

        Args:
            text: Numbers, ``x``, ``+ - * / ^ **``, parentheses, ``pi``, ``e`` and the functions of
                `fanin.studies.functions.jets.FUNCTIONS`; ``2x`` and ``2(x + 1)`` are products.

        Returns:
            The function.

        Raises:
            FaninError: The text is not such a function.
        """
        return cls(text.strip(), _Reader(text).whole())

    @classmethod
    def of(cls, function: Callable[[float], float]) -> "Function":
        """Take a function of Python; its derivatives are measured by central differences.

        Args:
            function: Takes a number, or an array of them, and gives as much.

        Returns:
            The function.
        """
        return cls(getattr(function, "__name__", "f"), Term(_differences(function)))

    @property
    def polynomial(self) -> Polynomial | None:
        """The coefficients, the constant first; None if it is not a polynomial."""
        return self.term.polynomial

    def __call__(self, x: ArrayLike) -> Jet:
        """Compute value, first and second derivative.

        Args:
            x: Points of any shape.

        Returns:
            Value and derivatives there; nan or inf where there are none.
        """
        places = np.asarray(x, dtype=np.float64)
        with np.errstate(all="ignore"):
            jet = self.term.at(places.reshape(-1))  # NumPy makes numbers of arrays without axes
        parts = (jet.value, jet.slope, jet.bend)
        return Jet(*(part.reshape(places.shape) for part in parts))

    def __str__(self) -> str:
        return self.text


def _differences(function: Callable[[float], float]) -> Callable[[Values], Jet]:
    one_by_one = np.vectorize(function, otypes=[np.float64])

    def values(x: Values) -> Values:
        try:
            found = np.asarray(function(x), dtype=np.float64)  # pyright: ignore[reportArgumentType]  # many functions of numbers take arrays
        except (TypeError, ValueError):
            found = None
        if found is None or found.shape != x.shape:
            found = one_by_one(x)
        return found

    def at(x: Values) -> Jet:
        # Steps at which rounding and truncation are of one size: eps^(1/3) and eps^(1/4).
        scale = np.maximum(1.0, np.abs(x))
        near, far = scale * 2.0**-17, scale * 2.0**-13
        middle = values(x)
        slope = (values(x + near) - values(x - near)) / (2 * near)
        bend = (values(x + far) - 2 * middle + values(x - far)) / far**2
        return Jet(middle, slope, bend)

    return at


class _Reader:
    """Reads one text by recursive descent: a method for each level of precedence."""

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise FaninError(
                f"a function may have at most {LONGEST} characters, got {len(text)}: pass a "
                "function of Python instead"
            )
        self._text = text.strip()
        self._tokens = _tokens(self._text)
        self._place = 0
        self._depth = 0

    def whole(self) -> Term:
        if not self._tokens:
            raise FaninError('the function is empty: write one of x, such as "5x^2 + 3x - 4"')
        term = self._sum()
        if self._place < len(self._tokens):
            raise self._wrong(f'"{self._next}" has nothing to close')
        return term

    @property
    def _next(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._next
        self._place += 1
        return token

    def _sum(self) -> Term:
        term = self._product()
        while self._next in {"+", "-"}:
            sign = self._take()
            term = _add(term, self._product(), -1 if sign == "-" else 1)
        return term

    def _product(self) -> Term:
        term = self._signed()
        while self._next not in {"", "+", "-", ")"}:
            if _is_number(self._next):
                last = self._tokens[self._place - 1]
                raise self._wrong(f'write "{last} * {self._next}" or "{last}^{self._next}"')
            operator = self._take() if self._next in {"*", "/"} else "*"
            other = self._signed()
            term = _multiply(term, other) if operator == "*" else _divide(term, other)
        return term

    def _signed(self) -> Term:
        """A sign binds weaker than a power: -x^2 is -(x^2)."""
        if self._next in {"+", "-"}:
            sign = self._take()
            with_sign = self._nested(self._signed)
            return _add(_number(Fraction(0)), with_sign, -1) if sign == "-" else with_sign
        base = self._atom()
        if self._next in {"^", "**"}:
            self._take()
            return _raise(base, self._nested(self._signed))
        return base

    def _atom(self) -> Term:
        token = self._take()
        if token == "(":
            inside = self._nested(self._sum)
            if self._take() != ")":
                raise self._wrong("a parenthesis is not closed")
            return inside
        if token == "x":
            return Term(Jet.variable, (Fraction(0), Fraction(1)))
        if token in CONSTANTS:
            return _number(Fraction(CONSTANTS[token]))
        if token in FUNCTIONS:
            if self._next != "(":
                raise self._wrong(f"{token} needs parentheses, {token}(x)")
            return _apply(token, self._atom())
        if _is_number(token):
            if not isfinite(float(token)):
                raise self._wrong(f"{token} is too large")
            return _number(Fraction(token))
        raise self._wrong(
            f'"{token}" stands where a number or x should be' if token else "it ends too soon"
        )

    def _nested(self, read: Callable[[], Term]) -> Term:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._wrong(f"it is nested deeper than {DEEPEST} levels")
        try:
            return read()
        finally:
            self._depth -= 1

    def _wrong(self, why: str) -> FaninError:
        return FaninError(f'cannot read "{self._text}" as a function of x: {why}')


def _is_number(token: str) -> bool:
    return token[:1].isdigit() or token[:1] == "."


def _tokens(text: str) -> list[str]:
    found = list[str]()
    for match in _TOKEN.finditer(text):
        number, word, operator, other = match.groups()
        if other is not None:
            hint = ""
            if other == "=":
                hint = "; write the right-hand side alone"
            raise FaninError(f'a function of x cannot have "{other}" in it: {text!r}{hint}')
        found += _words(word, text) if word else [number or operator]
    return found


def _words(word: str, text: str) -> Sequence[str]:
    known = ("x", *CONSTANTS, *FUNCTIONS)
    if word in known:
        return [word]
    if set(word) == {"x"}:  # xx is x times x
        return list(word)
    if word.startswith("x") and word[1:] in known:
        return ["x", word[1:]]
    raise FaninError(
        f'a function of x cannot have "{word}" in it: {text!r}{nearest(word, known)} (the variable '
        f"is x; there are {', '.join(known[1:])})"
    )


def _number(value: Fraction) -> Term:
    known = float(value)
    return Term(lambda x: Jet.constant(known, x), (value,))


def _add(a: Term, b: Term, sign: int) -> Term:
    combined: Polynomial | None = None
    if a.polynomial is not None and b.polynomial is not None:
        size = max(len(a.polynomial), len(b.polynomial))
        rows = [(*p, *[Fraction(0)] * (size - len(p))) for p in (a.polynomial, b.polynomial)]
        combined = _trimmed([p + sign * q for p, q in zip(*rows, strict=True)])
    if sign == 1:
        return Term(lambda x: a.at(x).plus(b.at(x)), combined)
    return Term(lambda x: a.at(x).minus(b.at(x)), combined)


def _multiply(a: Term, b: Term) -> Term:
    return Term(lambda x: a.at(x).times(b.at(x)), _product_of(a.polynomial, b.polynomial))


def _divide(a: Term, b: Term) -> Term:
    divisor = b.number
    if divisor == 0:
        raise FaninError("the function divides by zero everywhere")
    quotient = None
    if a.polynomial is not None and divisor is not None:
        quotient = tuple(c / divisor for c in a.polynomial)
    return Term(lambda x: a.at(x).over(b.at(x)), quotient)


def _raise(base: Term, exponent: Term) -> Term:
    constant = exponent.number
    if constant is None:
        # x^x is exp(x log(x)), which has a meaning where the base is positive.
        return _apply("exp", _multiply(exponent, _apply("log", base)))
    try:
        power, expanded = float(constant), None
    except OverflowError:
        raise FaninError("the function has an exponent that no float can hold") from None
    if base.polynomial is not None and constant.denominator == 1 and constant >= 0:
        degree = int(constant)
        if degree * (len(base.polynomial) - 1) <= HIGHEST and degree <= HIGHEST:
            expanded = (Fraction(1),)
            for _ in range(degree):
                expanded = _product_of(expanded, base.polynomial)
    return Term(lambda x: base.at(x).power(power), expanded)


def _apply(name: str, inside: Term) -> Term:
    function = FUNCTIONS[name]

    def at(x: Values) -> Jet:
        jet = inside.at(x)
        return jet.through(*function(jet.value))

    return Term(at)


def _product_of(a: Polynomial | None, b: Polynomial | None) -> Polynomial | None:
    if a is None or b is None or len(a) + len(b) - 2 > HIGHEST:
        return None
    product = [Fraction(0)] * (len(a) + len(b) - 1)
    for i, p in enumerate(a):
        for j, q in enumerate(b):
            product[i + j] += p * q
    large = any(max(abs(c.numerator), c.denominator).bit_length() > LARGEST for c in product)
    return None if large else _trimmed(product)


def _trimmed(coefficients: Sequence[Fraction]) -> Polynomial:
    last = max((k for k, c in enumerate(coefficients) if c), default=0)
    return tuple(coefficients[: last + 1])
