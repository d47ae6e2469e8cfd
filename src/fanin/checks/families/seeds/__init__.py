"""FI8: seeds, devices, dtypes. Whether the start is a function of the seed, and of nothing else."""

from fanin.checks.families.seeds.locked import not_as_locked
from fanin.checks.families.seeds.precision import drawn_in_low_precision
from fanin.checks.families.seeds.processes import copied_shards, unequal_replicas
from fanin.checks.families.seeds.repeating import not_reproducible, seed_ignored
from fanin.checks.rule import Rule

RULES: tuple[Rule, ...] = (
    not_reproducible,
    seed_ignored,
    drawn_in_low_precision,
    unequal_replicas,
    copied_shards,
    not_as_locked,
)
