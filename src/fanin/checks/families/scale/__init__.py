"""FI3: scale against fans. What is too large, too small, or not what was asked for."""

from fanin.checks.families.scale.siblings import unlike_siblings
from fanin.checks.families.scale.slips import slip_in_formula
from fanin.checks.families.scale.use import off_its_use
from fanin.checks.rule import Rule

RULES: tuple[Rule, ...] = (off_its_use, unlike_siblings, slip_in_formula)
