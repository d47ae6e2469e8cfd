"""FI5: units. What is saturated, dead, one-hot, or fed numbers of another size."""

from fanin.checks.families.units.dead import dead
from fanin.checks.families.units.inputs import inputs
from fanin.checks.families.units.saturated import saturated
from fanin.checks.families.units.sharp import sharp
from fanin.checks.rule import Rule

RULES: tuple[Rule, ...] = (saturated, dead, sharp, inputs)
