"""Where the arrays of a chunk live: everything on one device, or the runs shared out."""

from collections.abc import Sequence
from typing import Any, TypeVar

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec

Item = TypeVar("Item")

RUNS = "runs"
"""Name of the axis of the mesh."""


class Placement:
    """Puts arrays on the local devices, as many of them as there are runs for.

    Args:
        runs: Number of runs.
    """

    def __init__(self, runs: int) -> None:
        devices = jax.local_devices()
        self._mesh = Mesh(np.asarray(devices[: max(1, min(runs, len(devices)))]), (RUNS,))

    def padded(self, runs: Sequence[Item]) -> list[Item]:
        """Repeat the last run until every device has as many."""
        missing = -len(runs) % self._mesh.size
        return [*runs, *[runs[-1]] * missing]

    def shared(self, array: Any) -> Array:
        """Put the whole of an array on every device."""
        return jax.device_put(array, NamedSharding(self._mesh, PartitionSpec()))

    def split(self, array: Any, axis: int = 0) -> Array:
        """Cut an array along its axis of runs, a part for each device."""
        spec = PartitionSpec(*[None] * axis, RUNS)
        return jax.device_put(array, NamedSharding(self._mesh, spec))
