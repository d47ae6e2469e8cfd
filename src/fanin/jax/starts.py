"""The starts of many trainings, stacked: the plan of every scheme, drawn from every seed.

What is drawn element by element is drawn by the compiled program itself, from the words of a key
for each run and the laws as numbers. A matrix (orthogonal, identity, sparse) is made as a whole, on
the host, in float64, so it is handed over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from fanin.draws import Constant, Law, key
from fanin.errors import FaninError
from fanin.jax.devices import Placement
from fanin.jax.draws import Laws, draw, encode
from fanin.jax.networks import Function
from fanin.recipes import Plan, Row, Rules, plan
from fanin.schemes import ElementwiseScheme, keep


@dataclass(frozen=True)
class Ingredients:
    """What the starts of some runs are made of, all schemes of each; a pytree.

    Attributes:
        laws: For each parameter the law of every scheme.
        keys: For each parameter the key of every run, uint32 of shape (run, 2).
        given: For each parameter with such schemes the values of those that are made on the host,
            of shape (run, scheme, ...).
    """

    laws: Mapping[str, Laws]
    keys: Mapping[str, Any]
    given: Mapping[str, Any]

    def placed(self, placement: Placement) -> "Ingredients":
        """Put them where the runs are trained."""
        return Ingredients(
            jax.tree.map(placement.shared, self.laws),
            jax.tree.map(placement.split, self.keys),
            jax.tree.map(placement.split, self.given),
        )


def plans_of(function: Function, schemes: Sequence[str], rules: Rules) -> tuple[Plan, ...]:
    """Settle the plan of every scheme.

    Args:
        function: The network.
        schemes: The schemes or recipes, by name.
        rules: Pattern of parameter names to scheme.

    Returns:
        One plan for each.

    Raises:
        FaninError: A scheme cannot fill a parameter, or a rule has no effect.
    """
    made = tuple(plan(function.slots, scheme, rules, keep_unknown=True) for scheme in schemes)
    for row in (row for own in made for row in own.rows):
        if isinstance(row.scheme, keep) and row.name not in function.held:
            raise FaninError(f"{row.name} cannot be kept: a network of the grammar holds nothing")
    return made


def ingredients(
    plans: Sequence[Plan], seeds: Sequence[int], held: Mapping[str, NDArray[np.float32]]
) -> Ingredients:
    """Collect what the starts of some runs are made of.

    Args:
        plans: The plan of every scheme.
        seeds: The seed of each run's start.
        held: What the network itself holds, for a scheme that keeps it.

    Returns:
        The ingredients.
    """
    laws, keys, given = dict[str, Laws](), dict[str, NDArray[np.uint32]](), {}
    for rows in zip(*(own.rows for own in plans), strict=True):
        name, found = rows[0].name, [_law(row) for row in rows]
        laws[name] = encode([law or Constant(0.0) for law in found])
        keys[name] = np.asarray([key(seed, name) for seed in seeds], np.uint32)
        made = [row for row, law in zip(rows, found, strict=True) if law is None]
        if made:
            given[name] = np.stack([[_whole(row, seed, held) for row in made] for seed in seeds])
    return Ingredients(laws, keys, given)


def made_on_host(plans: Sequence[Plan]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Say which schemes of which parameter are made on the host.

    Args:
        plans: The plan of every scheme.

    Returns:
        Name and positions of the schemes, for each parameter that has such.
    """
    found = list[tuple[str, tuple[int, ...]]]()
    for rows in zip(*(own.rows for own in plans), strict=True):
        positions = tuple(place for place, row in enumerate(rows) if _law(row) is None)
        if positions:
            found.append((rows[0].name, positions))
    return tuple(found)


def stack(
    parts: Ingredients,
    shapes: Mapping[str, tuple[int, ...]],
    host: tuple[tuple[str, tuple[int, ...]], ...],
) -> dict[str, Array]:
    """Make the starts; this is traced into the compiled program.

    Args:
        parts: The ingredients.
        shapes: Shape of each parameter.
        host: As of `made_on_host`.

    Returns:
        Name to values of shape (run, scheme, ...), float32.
    """
    places = dict(host)
    starts = dict[str, Array]()
    for name, shape in shapes.items():
        count = int(np.prod(shape, dtype=np.int64))
        flat = jax.vmap(draw, in_axes=(None, 0, None))(parts.laws[name], parts.keys[name], count)
        values = flat.reshape(*flat.shape[:2], *shape)
        if name in places:
            values = values.at[:, jnp.asarray(places[name])].set(parts.given[name])
        starts[name] = values
    return starts


def _law(row: Row) -> Law | None:
    """The law of one element; None for what is made as a whole."""
    if isinstance(row.scheme, ElementwiseScheme) and row.slot.zero_row is None:
        return row.scheme.law(row.fans)
    return None


def _whole(row: Row, seed: int, held: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    return held[row.name] if isinstance(row.scheme, keep) else row.values(seed)


jax.tree_util.register_dataclass(Ingredients, data_fields=["laws", "keys", "given"], meta_fields=[])
