"""What an activation does to a signal, computed: gains, maps, criticality, stability over depth.

Pure mathematics on plain numbers. The room knows no tensor and no framework; schemes take their
gains from it by the name of an activation. Wherever a name is taken, any function of arrays is
taken too.
"""

from fanin.theory.activations import Activation as Activation
from fanin.theory.activations import activation as activation
from fanin.theory.activations import activation_names as activation_names
from fanin.theory.correlations import correlation_depth_scale as correlation_depth_scale
from fanin.theory.correlations import correlation_fixed_point as correlation_fixed_point
from fanin.theory.criticality import CriticalPoint as CriticalPoint
from fanin.theory.criticality import critical_line as critical_line
from fanin.theory.criticality import critical_points as critical_points
from fanin.theory.criticality import critical_sigma_w as critical_sigma_w
from fanin.theory.criticality import half_stable as half_stable
from fanin.theory.curves import Curve as Curve
from fanin.theory.curves import curve as curve
from fanin.theory.curves import derivative as derivative
from fanin.theory.depth import batch_norm_gradient as batch_norm_gradient
from fanin.theory.depth import length_error as length_error
from fanin.theory.depth import length_spread as length_spread
from fanin.theory.depth import residual_growth as residual_growth
from fanin.theory.gains import Moments as Moments
from fanin.theory.gains import gain as gain
from fanin.theory.gains import moments as moments
from fanin.theory.gains import second_moment as second_moment
from fanin.theory.gains import variance_gain as variance_gain
from fanin.theory.gaussian import expectation as expectation
from fanin.theory.lengths import FixedPoint as FixedPoint
from fanin.theory.lengths import depth_scale as depth_scale
from fanin.theory.lengths import fixed_points as fixed_points
from fanin.theory.maps import chi as chi
from fanin.theory.maps import correlation_map as correlation_map
from fanin.theory.maps import correlation_slope as correlation_slope
from fanin.theory.maps import length_map as length_map
from fanin.theory.maps import length_slope as length_slope
from fanin.theory.mirror import Mirrored as Mirrored
from fanin.theory.mirror import mirrored as mirrored
from fanin.theory.pairs import pair_expectation as pair_expectation
from fanin.theory.propagation import Propagation as Propagation
from fanin.theory.propagation import propagate as propagate
from fanin.theory.stability import StableGain as StableGain
from fanin.theory.stability import stable_gain as stable_gain
