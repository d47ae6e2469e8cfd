"""A drop-in for `torch.nn.init`: the same names and numbers, without its known defects.

``import fanin.torch.init as init`` changes no start that torch gets right. Every random function
also takes `seed=` and `name=`, which make the values a pure function of (seed, name, index), and
the functions scaled by fans take `layer=`, which makes the fans those of the layer, not of a shape.
"""

from fanin.torch.init.constants import constant_, dirac_, eye_, ones_, zeros_
from fanin.torch.init.deprecated import (
    constant,
    dirac,
    eye,
    kaiming_normal,
    kaiming_uniform,
    normal,
    orthogonal,
    sparse,
    uniform,
    xavier_normal,
    xavier_uniform,
)
from fanin.torch.init.elementwise import normal_, trunc_normal_, uniform_
from fanin.torch.init.fans import fan_of_mode, fans_of_shape
from fanin.torch.init.gains import calculate_gain
from fanin.torch.init.matrices import orthogonal_, sparse_
from fanin.torch.init.scaled import (
    kaiming_normal_,
    kaiming_uniform_,
    xavier_normal_,
    xavier_uniform_,
)

__all__ = [
    "calculate_gain",
    "constant",
    "constant_",
    "dirac",
    "dirac_",
    "eye",
    "eye_",
    "kaiming_normal",
    "kaiming_normal_",
    "kaiming_uniform",
    "kaiming_uniform_",
    "normal",
    "normal_",
    "ones_",
    "orthogonal",
    "orthogonal_",
    "sparse",
    "sparse_",
    "trunc_normal_",
    "uniform",
    "uniform_",
    "xavier_normal",
    "xavier_normal_",
    "xavier_uniform",
    "xavier_uniform_",
    "zeros_",
]

# Private in torch, and yet called by every layer that copies `Linear.reset_parameters`.
_calculate_fan_in_and_fan_out = fans_of_shape
_calculate_correct_fan = fan_of_mode
