"""Who wrote what: every write that the tensors of a model received while it was built, as data."""

from fanin.births.record import Allocation as Allocation
from fanin.births.record import Birth as Birth
from fanin.births.record import Births as Births
from fanin.births.record import Frame as Frame
from fanin.births.record import Lost as Lost
from fanin.births.record import Snapshot as Snapshot
from fanin.births.record import Write as Write
