"""FI2: symmetry and copies. What is equal, and will stay equal."""

from fanin.checks.families.symmetry.aliases import one_tensor_twice
from fanin.checks.families.symmetry.copies import copied_blocks, copied_tensors, stream_twice
from fanin.checks.families.symmetry.units import equal_units
from fanin.checks.families.symmetry.zeros import shut_for_ever, zero_on_purpose
from fanin.checks.rule import Rule

RULES: tuple[Rule, ...] = (
    equal_units,
    copied_blocks,
    copied_tensors,
    one_tensor_twice,
    stream_twice,
    shut_for_ever,
    zero_on_purpose,
)
