"""The shorthand: one scheme for the kernels, and its companions for the rest."""

from collections.abc import Sequence

from fanin.recipes.companion import recipe_of
from fanin.recipes.matching import Rules
from fanin.recipes.plan import Plan
from fanin.recipes.planning import plan
from fanin.recipes.slots import Slot
from fanin.schemes import Scheme, as_scheme


def assign(slots: Sequence[Slot], scheme: str | Scheme, rules: Rules | None = None) -> Plan:
    """Choose a scheme for every parameter, given the one for the kernels.

    Args:
        slots: The parameters of a model.
        scheme: Scheme of the kernels; the rest gets its companions.
        rules: Pattern of names to scheme, in order of precedence. A pattern is matched, case and
            all, against every name a parameter goes by; a whole name matches itself.

    Returns:
        The plan.

    Raises:
        FaninError: A scheme is unknown or cannot fill its parameter, a rule has no effect, or a
            parameter of unknown purpose has no rule.

    Example:
        >>> from fanin.recipes import Role
        >>> token = Slot("token", (1, 1, 64), Role.OTHER, None, None, "ViT")
        >>> plan = assign([token], "he_normal", {"tok*": "normal(0, 0.02)"})
        >>> str(plan.rows[0].scheme), plan.rows[0].reason
        ('normal(0, 0.02)', 'rule "tok*"')
    """
    return plan(slots, recipe_of(as_scheme(scheme)), rules)
