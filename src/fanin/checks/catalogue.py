"""The rules, in the order of their codes. Each family is a module or a package of `families`."""

from fanin.checks.families import (
    answer,
    depth,
    memory,
    scale,
    seeds,
    structure,
    symmetry,
    units,
)
from fanin.checks.rule import Rule
from fanin.errors import FaninError, nearest

_FAMILIES = (
    memory.RULES,
    symmetry.RULES,
    scale.RULES,
    depth.RULES,
    units.RULES,
    answer.RULES,
    structure.RULES,
    seeds.RULES,
)


def rules() -> tuple[Rule, ...]:
    """List the rules.

    Returns:
        All of them, by code.
    """
    return tuple(
        sorted((rule for family in _FAMILIES for rule in family), key=lambda rule: rule.code)
    )


def find_rule(code: str) -> Rule:
    """Find a rule.

    Args:
        code: Its code, in any case.

    Returns:
        The rule.

    Raises:
        FaninError: There is no such rule.

    Example:
        >>> find_rule("fi102").name
        'not finite'
    """
    for rule in rules():
        if rule.code == code.upper():
            return rule
    known = [rule.code for rule in rules()]
    raise FaninError(f'there is no rule "{code}"{nearest(code, known)}')
