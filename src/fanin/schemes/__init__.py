"""The values of one tensor: schemes, and the fans and layouts they are scaled by.

A scheme is a frozen value such as ``he_normal(gain="tanh")``. It is checked when built, prints in
full, is read back with `parse`, says what mean and standard deviation it promises, and draws a
tensor (or a region of it) as a pure function of seed, name, shape and layout.
"""

from fanin.schemes.base import ElementwiseScheme as ElementwiseScheme
from fanin.schemes.base import Moments as Moments
from fanin.schemes.base import Scheme as Scheme
from fanin.schemes.blocks import blocks as blocks
from fanin.schemes.constants import constant as constant
from fanin.schemes.constants import ones as ones
from fanin.schemes.constants import zeros as zeros
from fanin.schemes.deep import centred_orthogonal as centred_orthogonal
from fanin.schemes.deep import mirrored as mirrored
from fanin.schemes.defaults import jax_default as jax_default
from fanin.schemes.defaults import keras_default as keras_default
from fanin.schemes.defaults import torch_default as torch_default
from fanin.schemes.distributions import normal as normal
from fanin.schemes.distributions import truncated_normal as truncated_normal
from fanin.schemes.distributions import uniform as uniform
from fanin.schemes.fans import Fans as Fans
from fanin.schemes.gates import chrono as chrono
from fanin.schemes.gates import forget_gate as forget_gate
from fanin.schemes.identity import dirac as dirac
from fanin.schemes.identity import eye as eye
from fanin.schemes.identity import hadamard as hadamard
from fanin.schemes.identity import identity_plus_noise as identity_plus_noise
from fanin.schemes.keep import keep as keep
from fanin.schemes.layout import Layout as Layout
from fanin.schemes.listed import listed as listed
from fanin.schemes.matrices import MatrixScheme as MatrixScheme
from fanin.schemes.orthogonality import delta_orthogonal as delta_orthogonal
from fanin.schemes.orthogonality import looks_linear as looks_linear
from fanin.schemes.orthogonality import orthogonal as orthogonal
from fanin.schemes.orthogonality import scaled_orthogonal as scaled_orthogonal
from fanin.schemes.registry import as_scheme as as_scheme
from fanin.schemes.registry import find as find
from fanin.schemes.registry import names as names
from fanin.schemes.registry import parse as parse
from fanin.schemes.rescale import rescaled as rescaled
from fanin.schemes.scaling import FanScaled as FanScaled
from fanin.schemes.scaling import glorot_normal as glorot_normal
from fanin.schemes.scaling import glorot_truncated_normal as glorot_truncated_normal
from fanin.schemes.scaling import glorot_uniform as glorot_uniform
from fanin.schemes.scaling import he_normal as he_normal
from fanin.schemes.scaling import he_truncated_normal as he_truncated_normal
from fanin.schemes.scaling import he_uniform as he_uniform
from fanin.schemes.scaling import kaiming_normal as kaiming_normal
from fanin.schemes.scaling import kaiming_truncated_normal as kaiming_truncated_normal
from fanin.schemes.scaling import kaiming_uniform as kaiming_uniform
from fanin.schemes.scaling import lecun_normal as lecun_normal
from fanin.schemes.scaling import lecun_truncated_normal as lecun_truncated_normal
from fanin.schemes.scaling import lecun_uniform as lecun_uniform
from fanin.schemes.scaling import variance_scaling as variance_scaling
from fanin.schemes.scaling import xavier_normal as xavier_normal
from fanin.schemes.scaling import xavier_truncated_normal as xavier_truncated_normal
from fanin.schemes.scaling import xavier_uniform as xavier_uniform
from fanin.schemes.sparsity import sparse as sparse
