"""FI3: scale against fans. What is too large, too small, or not what was asked for."""

from fanin.checks.families.scale.biases import wide_biases
from fanin.checks.families.scale.fused import gates_of_unlike_scale
from fanin.checks.families.scale.marks import marks_of_the_draw
from fanin.checks.families.scale.orthogonal import orthogonality_lost
from fanin.checks.families.scale.planned import not_as_planned
from fanin.checks.families.scale.requests import not_as_asked
from fanin.checks.families.scale.residual import residual_scaling
from fanin.checks.families.scale.shape import far_outside, mean_off_zero
from fanin.checks.families.scale.siblings import unlike_siblings
from fanin.checks.families.scale.sines import first_sine_layer
from fanin.checks.families.scale.slips import slip_in_formula
from fanin.checks.families.scale.tables import vocabulary_as_fan
from fanin.checks.families.scale.use import off_its_use
from fanin.checks.rule import Rule

RULES: tuple[Rule, ...] = (
    off_its_use,
    unlike_siblings,
    slip_in_formula,
    mean_off_zero,
    not_as_asked,
    far_outside,
    orthogonality_lost,
    marks_of_the_draw,
    gates_of_unlike_scale,
    not_as_planned,
    vocabulary_as_fan,
    wide_biases,
    residual_scaling,
    first_sine_layer,
)
