"""A recipe is a list of rules, read from the top: the first one that matches a parameter counts.

A rule speaks of what a parameter is (role), where it stands (place), and only if need be of its
name or the type of its layer, because names are what differs between two models that are the same.
What it gives is a scheme, or a formula that makes one from the parameter and its network.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from fanin.calls import format_number
from fanin.recipes.network import Network, stands
from fanin.recipes.slots import Role, Slot
from fanin.schemes import Scheme, as_scheme
from fanin.trace import Place

Decision = tuple[Scheme, str]
"""What a parameter gets, and why in a few words."""

Formula = Callable[[Slot, Network], Scheme | Decision]
"""Makes the scheme of a parameter, with a reason of its own if it likes."""


@dataclass(frozen=True)
class Rule:
    """One rule. What is left out matches everything.

    Attributes:
        scheme: What matches gets: a scheme, its text, or a formula.
        reason: Why, in a few words; it stands in the plan, and names the rule in notes.
        role: The role, or several of which it may have any.
        place: The place, or several of which it may stand in any. A parameter that no trace has
            seen stands nowhere.
        name: Pattern, as of `fnmatch`, of any of its names.
        module: Pattern of the type of its layer, such as ``"Conv*"``.
        essential: Whether the recipe is not what its author meant where nothing matches.

    Example:
        >>> rule = Rule("zeros", "writers start at zero", place=Place.WRITER)
        >>> rule.matches(Slot("w", (2, 2), Role.KERNEL, None, None, "Linear"))
        False
    """

    scheme: Scheme | str | Formula
    reason: str
    role: Role | tuple[Role, ...] | None = None
    place: Place | tuple[Place, ...] | None = None
    name: str | None = None
    module: str | None = None
    essential: bool = False

    def matches(self, slot: Slot) -> bool:
        """Tell whether the rule is for a parameter.

        Args:
            slot: The parameter.

        Returns:
            Whether it has the role, the place, the name and the layer that are asked for.
        """
        roles = (self.role,) if isinstance(self.role, Role) else self.role
        places = (self.place,) if isinstance(self.place, Place) else self.place
        return (
            (roles is None or slot.role in roles)
            and (places is None or stands(slot, *places))
            and (self.name is None or any(matches(name, self.name) for name in slot.names))
            and (self.module is None or fnmatchcase(slot.module, self.module))
        )

    def decide(self, slot: Slot, network: Network) -> Decision:
        """Give what the rule has for a parameter that it matches.

        Args:
            slot: The parameter.
            network: All parameters.

        Returns:
            The scheme and the reason.
        """
        if isinstance(self.scheme, Scheme | str):
            return as_scheme(self.scheme), self.reason
        made = self.scheme(slot, network)
        return (made, self.reason) if isinstance(made, Scheme) else made


def _silent(_: Network) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class Recipe:
    """Ordered rules with a name and a source.

    Biases, norm gains and norm offsets that no rule matches start at zero, one and zero.

    Attributes:
        name: As it is written and printed: ``"gpt2"``, ``"mup(base_width=64)"``.
        rules: The rules, the first that matches counting.
        source: Where it comes from: author, year, and section or file.
        needs_trace: Whether it asks where parameters stand, which only a run can tell.
        remarks: What a person has to know about the recipe on this very network.
    """

    name: str
    rules: tuple[Rule, ...]
    source: str
    needs_trace: bool = False
    remarks: Callable[[Network], tuple[str, ...]] = _silent

    def __str__(self) -> str:
        return self.name


def matches(name: str, pattern: str) -> bool:
    """Tell whether a pattern of parameter names covers a name.

    Args:
        name: A parameter's name.
        pattern: As of `fnmatch`, case and all.

    Returns:
        Whether it does. A name may hold brackets, which a pattern reads as a choice: the name
        itself always counts.

    Example:
        >>> matches("head.weight", "head.*"), matches("scale[0]", "scale[0]")
        (True, True)
    """
    return name == pattern or fnmatchcase(name, pattern)


def tidy(number: float) -> float:
    """Round what a formula computes to six digits, so that a plan is read and typed with ease.

    Args:
        number: Any number.

    Returns:
        The nearest number of six significant digits.

    Example:
        >>> tidy(0.02 / 24**0.5)
        0.00408248
    """
    return float(f"{number:.6g}")


def written(name: str, **numbers: float) -> str:
    """Print a recipe with its arguments.

    Args:
        name: Its name.
        **numbers: Its arguments.

    Returns:
        The text that `fanin.recipes.recipe` reads.

    Example:
        >>> written("mup", base_width=64.0)
        'mup(base_width=64)'
    """
    inside = ", ".join(f"{key}={format_number(value)}" for key, value in numbers.items())
    return f"{name}({inside})" if inside else name
