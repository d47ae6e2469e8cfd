"""FI1: memory and birth. What was never written, written to the wrong place, or written over."""

from fanin.checks.families.memory.finite import not_finite
from fanin.checks.rule import Rule

RULES: tuple[Rule, ...] = (not_finite,)
