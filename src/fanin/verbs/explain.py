"""The verb `explain`: what a rule, a scheme, an activation or a recipe is, in words and figures.

The words are the docstrings, so the page a person reads and the reference are one text.
"""

import inspect
import json
import math
import re
from dataclasses import MISSING, asdict, dataclass

from fanin.calls import format_number, parse_call
from fanin.checks import Rule, Severity, find_rule, rules
from fanin.errors import FaninError, nearest
from fanin.recipes import recipe, recipe_names
from fanin.recipes.catalogue import describe, parse_name
from fanin.schemes import Fans, Scheme, as_scheme, find
from fanin.schemes import names as scheme_names
from fanin.theory import activation, activation_names
from fanin.verbs.activation_page import activation_page

EXAMPLE = Fans(256.0, 64.0)
"""The layer whose figures are shown: 256 inputs, 64 outputs."""


@dataclass(frozen=True)
class Explanation:
    """A page on one thing.

    Attributes:
        name: The thing, printed in full.
        kind: ``"rule"``, ``"scheme"``, ``"activation"``, ``"recipe"`` or ``"contents"``.
        text: What there is to know.
        figures: Name of a figure to its value.
    """

    name: str
    kind: str
    text: str
    figures: tuple[tuple[str, float], ...] = ()

    def __str__(self) -> str:
        title = self.name if self.kind == "contents" else f"{self.name} ({self.kind})"
        lines = [f"{name}: {value:.6g}" for name, value in self.figures]
        return "\n\n".join(part for part in (title, self.text, "\n".join(lines)) if part)

    def to_json(self) -> str:
        """Write the page as JSON.

        Returns:
            An object with the fields of the page.
        """
        return json.dumps({**asdict(self), "figures": dict(self.figures)}, indent=2)


def explain(name: str | None = None) -> Explanation:
    """Explain a rule, a scheme, an activation or a recipe.

    Args:
        name: Such as ``"FI102"``, ``"he_normal"``, ``"normal(std=0.01)"``, ``"tanh"``,
            ``"leaky_relu(0.2)"``, ``"gpt2"``; None lists what there is.

    Returns:
        The page; print it to read it.

    Raises:
        FaninError: Nothing has that name.

    Example:
        >>> print(explain("relu"))
        relu (activation)
        <BLANKLINE>
        Weights of standard deviation gain / sqrt(fan_in) keep the size of a unit signal, ...
        <BLANKLINE>
        Any size is kept at this gain: ...
        second moment of relu(z), z ~ N(0, 1): 0.5
        ...
        gain: 1.41421
        ...
    """
    if name is None:
        text = (
            f"schemes: {', '.join(scheme_names())}\n"
            f"activations: {', '.join(activation_names())}\n"
            f"recipes: {', '.join(recipe_names())}\n"
            "rules:\n" + "\n".join(f"  {rule.code} {rule.name}" for rule in rules())
        )
        return Explanation("What fanin explain knows", "contents", text)
    if re.fullmatch(r"fi\d+", name.strip().lower()):
        return _rule(find_rule(name.strip()))
    word = parse_name(name).name
    if word in activation_names():
        return _activation(name)
    if word in recipe_names():
        return Explanation(str(recipe(name)), "recipe", describe(word))
    try:
        find(word)
    except FaninError:
        known = (*scheme_names(), *activation_names(), *recipe_names())
        raise FaninError(
            f'there is nothing called "{word}" to explain{nearest(word, known)}; "fanin explain" '
            "lists the names"
        ) from None
    return _scheme(name)


def _rule(rule: Rule) -> Explanation:
    needs = " and ".join(rule.probes)
    head = f"{rule.name}; at worst {_article(rule.severity)}; needs the probe {needs}."
    return Explanation(rule.code, "rule", f"{head}\n\n{rule.page}")


def _article(severity: Severity) -> str:
    return f"a {severity}" if severity is Severity.WARNING else f"an {severity}"


def _activation(name: str) -> Explanation:
    known = activation(name)
    text, figures = activation_page(known)
    if known.name in recipe_names():
        text += f"\n\nThere is a recipe of this name too.\n\n{describe(known.name)}"
    return Explanation(str(known), "activation", text, figures)


def _scheme(name: str) -> Explanation:
    kind, call = find(parse_call(name).name), parse_call(name)
    text = inspect.cleandoc(kind.__doc__ or "")
    needed = [argument.name for argument in kind.arguments() if argument.default is MISSING]
    if needed and not (call.args or call.kwargs):
        return Explanation(kind.name(), "scheme", text)  # nothing to figure before it is known
    scheme = as_scheme(name)
    return Explanation(str(scheme), "scheme", text, _promised(scheme))


def _promised(scheme: Scheme) -> tuple[tuple[str, float], ...]:
    try:
        moments = scheme.promised(EXAMPLE)
    except FaninError:
        return ()  # a scheme of whole matrices promises nothing of one element without a shape
    if math.isnan(moments.std):
        return ()
    layer = f"{format_number(EXAMPLE.fan_in)} inputs and {format_number(EXAMPLE.fan_out)} outputs"
    figures = [(f"standard deviation for {layer}", moments.std)]
    if moments.mean or math.isclose(moments.std, 0):
        figures.insert(0, ("mean", moments.mean))
    return tuple(figures)
