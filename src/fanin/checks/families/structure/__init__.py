"""FI7: structure. Ties, padding, norms, gates, adapters, trained values, and what none reaches."""

from fanin.checks.families.structure.adapters import adapter_not_identity
from fanin.checks.families.structure.gates import gate_bias, time_step_bias
from fanin.checks.families.structure.norms import norm_gain, running_statistics
from fanin.checks.families.structure.pretrained import loaded_overwritten, pretrained_lost
from fanin.checks.families.structure.reach import no_gradient, not_registered
from fanin.checks.families.structure.tables import padding_row, rows_alike
from fanin.checks.families.structure.ties import tie_broken, tie_clobbered
from fanin.checks.rule import Rule

RULES: tuple[Rule, ...] = (
    tie_broken,
    tie_clobbered,
    padding_row,
    norm_gain,
    running_statistics,
    gate_bias,
    adapter_not_identity,
    pretrained_lost,
    loaded_overwritten,
    not_registered,
    no_gradient,
    rows_alike,
    time_step_bias,
)
