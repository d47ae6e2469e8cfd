"""The plan that a person declared, held against what was read of the model."""

from dataclasses import replace
from pathlib import Path

from fanin.checks.evidence import Evidence
from fanin.checks.values import Values
from fanin.errors import FaninError
from fanin.recipes import Held, Plan
from fanin.recipes import plan as decide
from fanin.recipes.files import FORMAT


def declared(evidence: Evidence, plan: Plan | str | Path) -> Evidence:
    """Add a plan and how the model stands to it.

    Args:
        evidence: What was gathered; its slots are what a recipe is applied to.
        plan: A plan, the file of one, or a recipe: its name, its file, or a scheme.

    Returns:
        The evidence, with both.

    Raises:
        FaninError: The file cannot be read, there is no such recipe, or it does not fit the model.

    Example:
        >>> from fanin.recipes import Role, Slot
        >>> slot = Slot("gain", (4,), Role.NORM_GAIN, None, None, "LayerNorm")
        >>> held = Values("gain", (4,), "float32", 4, mean=1.0, minimum=1.0, maximum=1.0)
        >>> declared(Evidence(slots=(slot,), values={"gain": held}), "he_normal").audit.ok
        True
    """
    made = plan if isinstance(plan, Plan) else _read(evidence, plan)
    held = {name: _held(values) for name, values in evidence.values.items() if not values.buffer}
    return replace(evidence, plan=made, audit=made.compare(held))


def _read(evidence: Evidence, given: str | Path) -> Plan:
    if _is_plan(given):
        return Plan.load(Path(given))
    ran = evidence.trace is not None
    try:
        return decide(evidence.slots, str(given), None, keep_unknown=ran)
    except FaninError as problem:
        raise FaninError(f"plan={str(given)!r}: {problem}") from problem


def _is_plan(given: str | Path) -> bool:
    path = Path(given)
    if path.suffix != ".toml":
        return False
    try:
        return FORMAT in path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise FaninError(f"plan={str(given)!r} cannot be read: {problem}") from problem


def _held(values: Values) -> Held:
    return Held(
        values.mean, values.std, values.minimum, values.maximum, values.finite, values.shape
    )
