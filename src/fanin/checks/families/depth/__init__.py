"""FI4: the signal through depth. What fades, grows, becomes one or leaves the numbers."""

from fanin.checks.families.depth.collapse import collapses
from fanin.checks.families.depth.drift import fades, grows
from fanin.checks.families.depth.overflow import overflows
from fanin.checks.families.depth.steps import apart
from fanin.checks.rule import Rule

RULES: tuple[Rule, ...] = (fades, grows, collapses, overflows, apart)
