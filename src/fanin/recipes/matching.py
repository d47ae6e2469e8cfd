"""The rules that a person adds: patterns of names, and what is said when they go wrong.

A rule that matches nothing is a typing mistake until proven otherwise, so it is refused with the
nearest name; two rules that want the same parameter are told; and parameters that nobody speaks for
are listed with the lines that would settle them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from fanin.errors import FaninError, nearest
from fanin.recipes.rules import matches
from fanin.recipes.slots import Slot
from fanin.schemes import Scheme, as_scheme

Rules = Mapping[str, str | Scheme]
"""Pattern of parameter names (as of `fnmatch`) to the scheme they get; the first match counts."""

Matches = Mapping[str, Sequence[str]]
"""Name of each parameter to the patterns that match it, in order."""


def read(rules: Rules | None) -> dict[str, Scheme]:
    """Read the rules of a person.

    Args:
        rules: Pattern to scheme or text; None for no rules.

    Returns:
        Pattern to scheme, in the same order.

    Raises:
        FaninError: They are no mapping of texts to schemes.
    """
    if rules is None:
        return {}
    if not isinstance(rules, Mapping):
        raise FaninError(
            f"rules must map patterns of parameter names to schemes, got {rules!r}; write "
            'rules={"*.pos_embed": "normal(0, 0.02)"}'
        )
    found = dict[str, Scheme]()
    for pattern, scheme in rules.items():
        if not isinstance(pattern, str):
            raise FaninError(f"the pattern of a rule must be text, got {pattern!r}")
        try:
            found[pattern] = as_scheme(scheme)
        except FaninError as problem:
            raise FaninError(f'rule "{pattern}": {problem}') from None
    return found


def match(slots: Sequence[Slot], rules: Mapping[str, Scheme]) -> dict[str, list[str]]:
    """Find the rules for each parameter.

    Args:
        slots: The parameters.
        rules: Pattern to scheme.

    Returns:
        Name to patterns, the one that counts first.
    """
    return {
        slot.name: [
            pattern for pattern in rules if any(matches(name, pattern) for name in slot.names)
        ]
        for slot in slots
    }


def idle(found: Matches, rules: Mapping[str, Scheme]) -> list[str]:
    """Say which rules have no effect.

    Args:
        found: Name to patterns.
        rules: Pattern to scheme.

    Returns:
        One sentence for each.
    """
    first = {patterns[0] for patterns in found.values() if patterns}
    return [_idle(pattern, found) for pattern in rules if pattern not in first]


def fights(found: Matches, rules: Mapping[str, Scheme]) -> list[str]:
    """Say which rules want the same parameters to be different things.

    Args:
        found: Name to patterns.
        rules: Pattern to scheme.

    Returns:
        One sentence for each pair of rules.
    """
    pairs = dict[tuple[str, str], list[str]]()
    for name, patterns in found.items():
        for other in patterns[1:]:
            if rules[other] != rules[patterns[0]]:
                pairs.setdefault((patterns[0], other), []).append(name)
    return [
        f'rules "{winner}" and "{loser}" both want {_few(names)}: the first counts'
        for (winner, loser), names in pairs.items()
    ]


def left_over(unknown: Sequence[Slot], slots: Sequence[Slot]) -> str:
    """Ask for rules for parameters that nobody speaks for, and offer some.

    Args:
        unknown: The parameters without a scheme.
        slots: All parameters.

    Returns:
        The text of an error.
    """
    listed = "\n".join(f"  {slot.name}  {slot.shape}  in {slot.module}" for slot in unknown)
    count = f"{len(unknown)} parameter{'s' * (len(unknown) != 1)}"
    return (
        f"{count} of unknown purpose, outside the layers that fanin knows:\n{listed}\n"
        f"Name a scheme for each, for example:\n  rules={_suggestion(unknown, slots)}"
    )


def _idle(pattern: str, found: Matches) -> str:
    shadowed = [name for name, patterns in found.items() if pattern in patterns]
    if shadowed:
        earlier = found[shadowed[0]][0]
        return (
            f'rule "{pattern}" has no effect: rules before it, such as "{earlier}", take all it '
            "matches; put it first or drop it"
        )
    hint = nearest(pattern, found) or f"; the names are like {next(iter(found), '')!r}"
    return f'rule "{pattern}" matches no parameter{hint}'


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return (" and " if len(names) == 2 else ", ").join(names[:2]) + more


def _suggestion(unknown: Sequence[Slot], slots: Sequence[Slot]) -> str:
    """Write rules that cover all unknown parameters: one for many where they stand alike."""
    asked = {slot.name for slot in unknown}
    taken = [name for slot in slots if slot.name not in asked for name in slot.names]
    lines = dict[str, str]()
    for slot in unknown:
        if any(matches(slot.name, pattern) for pattern in lines):
            continue
        pattern = next(_alike(slot, unknown, taken), slot.name)
        last = slot.name.rpartition(".")[2]
        vector = "zeros" if "bias" in last or "beta" in last else "ones"
        lines[pattern] = vector if len(slot.shape) < 2 else "normal(0, 0.02)"
    inside = ", ".join(f'"{pattern}": "{scheme}"' for pattern, scheme in lines.items())
    return "{" + inside + "}"


def _alike(slot: Slot, unknown: Sequence[Slot], taken: Sequence[str]) -> Iterator[str]:
    """Offer patterns for all of one last word, or else for all of one place in numbered layers."""
    last = slot.name.rpartition(".")[2]
    for pattern in (f"*.{last}", re.sub(r"(?<=\.)\d+(?=\.)|^\d+(?=\.)", "*", slot.name)):
        covered = [other for other in unknown if fnmatchcase(other.name, pattern)]
        alike = all(len(other.shape) == len(slot.shape) for other in covered)
        settled = any(fnmatchcase(name, pattern) for name in taken)
        if len(covered) > 1 and slot in covered and alike and not settled:
            yield pattern
