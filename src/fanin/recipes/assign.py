"""From the slots of a model and a scheme to its plan.

Every parameter gets exactly one scheme: from the first rule whose pattern matches one of its names,
or else from its role. What cannot be settled is reported all at once, so that one more line of
rules mends it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from fanin.errors import FaninError, nearest
from fanin.recipes.companion import companion
from fanin.recipes.plan import Plan, Row
from fanin.recipes.slots import Slot
from fanin.schemes import Scheme, as_scheme

Rules = Mapping[str, str | Scheme]
"""Pattern of parameter names (as of `fnmatch`) to the scheme they get; the first match counts."""


def assign(slots: Sequence[Slot], scheme: str | Scheme, rules: Rules | None = None) -> Plan:
    """Choose a scheme for every parameter.

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
    asked = as_scheme(scheme)
    ordered = _read(rules)
    matches = {
        slot.name: [
            pattern for pattern in ordered if any(_matches(name, pattern) for name in slot.names)
        ]
        for slot in slots
    }
    _refuse(slots, matches, ordered)
    rows = [
        _by_rule(slot, ordered[matches[slot.name][0]], matches[slot.name])
        if matches[slot.name]
        else _by_role(slot, asked)
        for slot in slots
    ]
    return Plan(asked, tuple(rows))


def _matches(name: str, pattern: str) -> bool:
    # A name may hold brackets, which a pattern reads as a choice: the name itself always counts.
    return name == pattern or fnmatchcase(name, pattern)


def _read(rules: Rules | None) -> dict[str, Scheme]:
    if rules is None:
        return {}
    if not isinstance(rules, Mapping):
        raise FaninError(
            f"rules must map patterns of parameter names to schemes, got {rules!r}; write "
            'rules={"*.pos_embed": "normal(0, 0.02)"}'
        )
    read = dict[str, Scheme]()
    for pattern, scheme in rules.items():
        if not isinstance(pattern, str):
            raise FaninError(f"the pattern of a rule must be text, got {pattern!r}")
        try:
            read[pattern] = as_scheme(scheme)
        except FaninError as problem:
            raise FaninError(f'rule "{pattern}": {problem}') from None
    return read


def _refuse(
    slots: Sequence[Slot], matches: Mapping[str, list[str]], rules: Mapping[str, Scheme]
) -> None:
    """Report every idle rule and every parameter left over in one message."""
    first = {found[0] for found in matches.values() if found}
    problems = [_idle(pattern, matches) for pattern in rules if pattern not in first]
    unknown = [slot for slot in slots if not slot.known and not matches[slot.name]]
    if unknown:
        problems.append(_left_over(unknown, slots))
    if problems:
        raise FaninError("\n".join(problems))


def _idle(pattern: str, matches: Mapping[str, list[str]]) -> str:
    shadowed = [name for name, found in matches.items() if pattern in found]
    if shadowed:
        earlier = matches[shadowed[0]][0]
        return (
            f'rule "{pattern}" has no effect: rules before it, such as "{earlier}", take all it '
            "matches; put it first or drop it"
        )
    hint = nearest(pattern, matches) or f"; the names are like {next(iter(matches), '')!r}"
    return f'rule "{pattern}" matches no parameter{hint}'


def _left_over(unknown: Sequence[Slot], slots: Sequence[Slot]) -> str:
    listed = "\n".join(f"  {slot.name}  {slot.shape}  in {slot.module}" for slot in unknown)
    count = f"{len(unknown)} parameter{'s' * (len(unknown) != 1)}"
    return (
        f"{count} of unknown purpose, outside the layers that fanin knows:\n{listed}\n"
        f"Name a scheme for each, for example:\n  rules={_suggestion(unknown, slots)}"
    )


def _suggestion(unknown: Sequence[Slot], slots: Sequence[Slot]) -> str:
    """Write rules that cover all unknown parameters: one for many where they stand alike."""
    taken = [name for slot in slots if slot.known for name in slot.names]
    lines = dict[str, str]()
    for slot in unknown:
        if any(_matches(slot.name, pattern) for pattern in lines):
            continue
        last = slot.name.rpartition(".")[2]
        # All of one last word, or else all of one place in numbered layers.
        wide = (f"*.{last}", re.sub(r"(?<=\.)\d+(?=\.)|^\d+(?=\.)", "*", slot.name))
        alike = (pattern for pattern in wide if _fits(pattern, slot, unknown, taken))
        pattern = next(alike, slot.name)
        vector = "zeros" if "bias" in last or "beta" in last else "ones"
        lines[pattern] = vector if len(slot.shape) < 2 else "normal(0, 0.02)"
    inside = ", ".join(f'"{pattern}": "{scheme}"' for pattern, scheme in lines.items())
    return "{" + inside + "}"


def _fits(pattern: str, slot: Slot, unknown: Sequence[Slot], taken: Sequence[str]) -> bool:
    """Tell whether a pattern covers the parameter and others like it, and none that is settled."""
    covered = [other for other in unknown if fnmatchcase(other.name, pattern)]
    alike = all(len(other.shape) == len(slot.shape) for other in covered)
    settled = any(fnmatchcase(name, pattern) for name in taken)
    return len(covered) > 1 and slot in covered and alike and not settled


def _by_rule(slot: Slot, scheme: Scheme, matches: Sequence[str]) -> Row:
    reason = f'rule "{matches[0]}"'
    if len(matches) > 1:
        reason += f' (before "{matches[1]}")'
    return _strictest(slot, [(use, scheme, reason) for use in (slot, *slot.uses)])


def _by_role(slot: Slot, scheme: Scheme) -> Row:
    return _strictest(slot, [(use, *companion(scheme, use)) for use in (slot, *slot.uses)])


def _strictest(slot: Slot, choices: Sequence[tuple[Slot, Scheme, str]]) -> Row:
    """Of all uses of a tied weight take the one that asks for the smallest values."""
    rows = [_row(slot, use, scheme, reason) for use, scheme, reason in choices]
    if len({row.mean for row in rows}) > 1:
        asked = ", ".join(f"{row.scheme} as {row.role} of {row.slot.module}" for row in rows)
        raise FaninError(
            f"{slot.name} is tied, and its uses ask for different means: {asked}. Settle it with "
            f'a rule, such as rules={{"{slot.name}": "normal(0, 0.02)"}}'
        )
    chosen = min(rows, key=lambda row: row.std)
    notes = [chosen.reason]
    if len({row.std for row in rows}) > 1:
        others = ", ".join(f"{row.std:.4g} as {row.role}" for row in rows if row.std > chosen.std)
        notes.append(f"its strictest use (std {others})")
    if slot.aliases:
        notes.append(f"tied with {', '.join(slot.aliases)}")
    if slot.zero_row is not None:
        notes.append(f"padding row {slot.zero_row} stays zero")
    if slot.frozen:
        notes.append("frozen, initialised all the same")
    return replace(chosen, reason="; ".join(notes))


def _row(slot: Slot, use: Slot, scheme: Scheme, reason: str) -> Row:
    seen = replace(
        slot,
        role=use.role,
        layout=use.layout,
        fans=use.fans,
        module=use.module,
        recurrent=use.recurrent,
        native=use.native,
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
