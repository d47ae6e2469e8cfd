"""What stands around each parameter of a network, read off the graph of its operations.

The graph is made (`graph`), attention written by hand is told apart (`attention`), residual sums
are found (`residual`, `branches`), then plain stretches (`chains`), words (`words`) and places
(`places`). Everything is worked out once for each operation, in the order of execution.
"""

from fanin.trace.structure.reading import surroundings as surroundings
from fanin.trace.structure.reading import surroundings_by_use as surroundings_by_use
