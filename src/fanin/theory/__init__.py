"""What an activation does to a signal, computed: expectations over a Gaussian, gains.

Pure mathematics on plain numbers. The room knows no tensor and no framework; schemes take their
gains from it by the name of an activation.
"""

from fanin.theory.activations import Activation as Activation
from fanin.theory.activations import activation as activation
from fanin.theory.activations import activation_names as activation_names
from fanin.theory.gains import gain as gain
from fanin.theory.gains import second_moment as second_moment
from fanin.theory.gaussian import expectation as expectation
