"""FI1: memory and birth. What was never written, written to the wrong place, or written over."""

from fanin.checks.families.memory.callbacks import missed_by_sweep, never_called, stuck_callback
from fanin.checks.families.memory.finite import not_finite
from fanin.checks.families.memory.garbage import absurd_values
from fanin.checks.families.memory.lost import write_lost, write_without_effect
from fanin.checks.families.memory.overwritten import initialised_twice, special_value_overwritten
from fanin.checks.families.memory.unwritten import never_written
from fanin.checks.rule import Rule

RULES: tuple[Rule, ...] = (
    never_written,
    not_finite,
    absurd_values,
    write_lost,
    write_without_effect,
    special_value_overwritten,
    initialised_twice,
    never_called,
    stuck_callback,
    missed_by_sweep,
)
