"""What theory expects of the signals of a traced network, from the sizes of its parameters.

A signal is told by its second moment q. Weights are taken as independent of the signal and of each
other, with the second moment that their tensor has, so a layer makes q from q as a sum of fan_in
products, and a gradient from a gradient as a sum of fan_out. Where that says nothing (attention,
pooling, a function nobody knows) the measured signal is taken, and theory goes on from there.
"""

from fanin.trace.prediction.network import Predicted as Predicted
from fanin.trace.prediction.network import predict as predict
