"""What one pass through a network did, as data with no framework object in it.

A framework's tracer makes a `Trace`; recipes, checks and reports read it.
"""

from fanin.trace.ops import WEIGHTED as WEIGHTED
from fanin.trace.ops import Kind as Kind
from fanin.trace.ops import Op as Op
from fanin.trace.ops import Part as Part
from fanin.trace.ops import TracedParameter as TracedParameter
from fanin.trace.ops import Use as Use
from fanin.trace.predict import Predicted as Predicted
from fanin.trace.predict import predict as predict
from fanin.trace.signal import Signal as Signal
from fanin.trace.surroundings import Branch as Branch
from fanin.trace.surroundings import Chain as Chain
from fanin.trace.surroundings import Place as Place
from fanin.trace.surroundings import Surroundings as Surroundings
from fanin.trace.trace import Trace as Trace
