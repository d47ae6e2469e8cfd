"""From the slots of a model and a recipe to its plan.

Every parameter gets exactly one scheme: from the first rule of the person whose pattern matches one
of its names, or else from the first rule of the recipe, or else, for what only has to let the
signal through, the value that does. What cannot be settled is reported all at once, so that one
more line of rules mends it; what was settled in a way that a person should know becomes a note.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from fanin.errors import FaninError
from fanin.recipes.catalogue import as_recipe
from fanin.recipes.companion import neutral
from fanin.recipes.matching import Rules, fights, idle, left_over, match, read
from fanin.recipes.network import Network
from fanin.recipes.plan import Plan
from fanin.recipes.row import Row
from fanin.recipes.rules import Decision, Recipe
from fanin.recipes.slots import Slot
from fanin.schemes import Scheme, keep


def plan(
    slots: Sequence[Slot],
    recipe: str | Scheme | Recipe,
    rules: Rules | None = None,
    *,
    keep_unknown: bool = False,
) -> Plan:
    """Apply a recipe to the parameters of a model.

    Args:
        slots: The parameters. A recipe that asks where they stand needs those of a traced model.
        recipe: A recipe or its name, such as ``"gpt2"``; or a scheme, which is for the kernels,
            with its companions for the rest.
        rules: Pattern of names to scheme, in order of precedence, before those of the recipe. A
            pattern is matched, case and all, against every name a parameter goes by; a whole name
            matches itself.
        keep_unknown: Whether a parameter that no rule speaks for is left as the model holds it. If
            not, it is an error.

    Returns:
        The plan.

    Raises:
        FaninError: The recipe or a scheme is unknown or cannot fill its parameter, a rule has no
            effect, the recipe needs a traced model, or a parameter has no rule.

    Example:
        >>> from fanin.recipes import Role
        >>> from fanin.schemes import Fans, Layout
        >>> layout = Layout.linear()
        >>> kernel = Slot("fc.weight", (8, 4), Role.KERNEL, layout, Fans(4, 8), "Linear")
        >>> made = plan([kernel], "lecture-0.01")
        >>> str(made.rows[0].scheme), made.recipe
        ('normal(0, 0.01)', 'lecture(std=0.01)')
    """
    asked, network, ordered = as_recipe(recipe), Network(tuple(slots)), read(rules)
    if asked.needs_trace and not network.traced:
        raise FaninError(
            f"{asked} asks where each parameter stands, which only a run of the network tells: "
            "pass a batch, such as fanin.plan(model, inputs), or --batch train.py:batch"
        )
    found = match(slots, ordered)
    decided = {slot.name: _decide(slot, asked, network) for slot in slots if not found[slot.name]}
    unknown = [slot for slot in slots if not found[slot.name] and not decided[slot.name]]
    problems = idle(found, ordered)
    if unknown and not keep_unknown:
        problems.append(left_over(unknown, slots))
    if problems:
        raise FaninError("\n".join(problems))
    rows = [
        _by_rule(slot, ordered[found[slot.name][0]], found[slot.name])
        if found[slot.name]
        else _by_recipe(slot, decided[slot.name])
        for slot in slots
    ]
    notes = [*fights(found, ordered), *_unmatched(asked, network), *asked.remarks(network)]
    if unknown:
        names = ", ".join(slot.name for slot in unknown)
        notes.append(f"of unknown purpose, so what the model holds is kept: {names}")
    return Plan(str(asked), tuple(rows), tuple(notes))


def _decide(slot: Slot, recipe: Recipe, network: Network) -> list[tuple[Slot, Decision]]:
    """Find what each use of a parameter gets; a use that no rule is for has no say."""
    found = list[tuple[Slot, Decision]]()
    for use in (slot, *slot.uses):
        rule = next((rule for rule in recipe.rules if rule.matches(use)), None)
        decision = rule.decide(use, network) if rule is not None else neutral(use)
        if decision is not None:
            found.append((use, decision))
    return found


def _unmatched(recipe: Recipe, network: Network) -> list[str]:
    return [
        f"{recipe} is not what its author meant: nothing matches its rule for {rule.reason}"
        for rule in recipe.rules
        if rule.essential and not any(rule.matches(view) for view in network.views)
    ]


def _by_rule(slot: Slot, scheme: Scheme, patterns: Sequence[str]) -> Row:
    reason = f'rule "{patterns[0]}"'
    if len(patterns) > 1:
        reason += f' (before "{patterns[1]}")'
    return _strictest(slot, [(use, (scheme, reason)) for use in (slot, *slot.uses)])


def _by_recipe(slot: Slot, decided: Sequence[tuple[Slot, Decision]]) -> Row:
    if not decided:
        return _strictest(slot, [(slot, (keep(), "unknown purpose: holds what it holds"))])
    return _strictest(slot, decided)


def _strictest(slot: Slot, choices: Sequence[tuple[Slot, Decision]]) -> Row:
    """Of all uses of a tied weight take the one that asks for the smallest values."""
    rows = [_row(slot, use, *decision) for use, decision in choices]
    # Where one use asks for numbers, what another would have kept is written all the same.
    drawn = [row for row in rows if not math.isnan(row.std)]
    if len({row.mean for row in drawn}) > 1:
        asked = ", ".join(f"{row.scheme} as {row.role} of {row.slot.module}" for row in drawn)
        raise FaninError(
            f"{slot.name} is tied, and its uses ask for different means: {asked}. Settle it with "
            f'a rule, such as rules={{"{slot.name}": "normal(0, 0.02)"}}'
        )
    chosen = min(drawn or rows, key=lambda row: row.std)
    notes = [chosen.reason]
    if len({row.std for row in drawn}) > 1:
        others = ", ".join(f"{row.std:.4g} as {row.role}" for row in drawn if row.std > chosen.std)
        notes.append(f"its strictest use (std {others})")
    return replace(chosen, reason="; ".join((*notes, *_circumstances(slot, chosen.scheme))))


def _circumstances(slot: Slot, scheme: Scheme) -> list[str]:
    """Say what else a person should know about a parameter."""
    notes = list[str]()
    if slot.aliases:
        notes.append(f"tied with {', '.join(slot.aliases)}")
    if slot.zero_row is not None:
        notes.append(f"padding row {slot.zero_row} stays zero")
    if slot.frozen and not isinstance(scheme, keep):
        notes.append("frozen, initialised all the same")
    if slot.used is False:
        notes.append("not used in the traced pass")
    return notes


def _row(slot: Slot, use: Slot, scheme: Scheme, reason: str) -> Row:
    seen = replace(
        slot,
        role=use.role,
        layout=use.layout,
        fans=use.fans,
        module=use.module,
        recurrent=use.recurrent,
        native=use.native,
        around=use.around,
    )
    try:
        return Row(seen, scheme, reason)
    except FaninError as problem:
        advice = (
            ""
            if slot.known
            else "; how it is used is not known, so give numbers, such as normal(0, 0.02)"
        )
        raise FaninError(f"{slot.name} {slot.shape}: {problem}{advice}") from None
