"""FI6: loss and output. What the network says before it has learned anything."""

from fanin.checks.families.answer.loss import loss_too_large
from fanin.checks.families.answer.prior import prior_missing, targets_far
from fanin.checks.families.answer.shut import nothing_learns
from fanin.checks.rule import Rule

RULES: tuple[Rule, ...] = (loss_too_large, prior_missing, targets_far, nothing_learns)
