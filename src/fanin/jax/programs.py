"""The compiled programs of a training: start, advance, measure, and what a network returns.

All trainings of a chunk are one set of arrays with two leading axes, run and scheme. `vmap` runs
the network over both, and a loop inside the program takes the steps, so that the host is asked for
nothing between one measured point and the next. Programs are made once for a network and a rule;
schemes, seeds, data and the number of steps are inputs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from fanin.jax.draws import threefry
from fanin.jax.networks import Arrays, Function
from fanin.jax.objectives import example_losses, hits
from fanin.jax.optimizers import transformation
from fanin.jax.starts import Ingredients, stack
from fanin.studies.design import Loss
from fanin.studies.optimizer import Optimizer
from fanin.studies.trainer import SPLITS


class State(NamedTuple):
    """Where some trainings are.

    Attributes:
        parameters: By name, of shape (run, scheme, ...).
        buffers: By name, of shape (run, scheme, ...).
        memory: What the update rule remembers.
        step: Steps taken.
    """

    parameters: Mapping[str, Array]
    buffers: Mapping[str, Array]
    memory: Any
    step: Array


class Examples(NamedTuple):
    """Examples of all parts of the data in blocks, for measuring.

    Attributes:
        features: Of shape (block, example, ...).
        targets: Of shape (block, example, ...).
        part: Which part an example is of, of shape (block, example); -1 for none.
    """

    features: Array
    targets: Array
    part: Array


@dataclass(frozen=True)
class Programs:
    """The compiled programs of one network under one rule.

    Attributes:
        start: From ingredients to the state before the first step.
        advance: From a state, the training examples, batches of indices of shape
            (step, run, example), the first of them, how many, and two words for each run, to the
            state afterwards.
        measure: From a state and examples to the sums of every metric over each part of the data,
            of shape (run, scheme, part).
        outputs: From a state and features of shape (example, ...) to what the networks return, of
            shape (run, scheme, example, output).
    """

    start: Callable[..., State]
    advance: Callable[..., State]
    measure: Callable[[State, Examples], dict[str, Array]]
    outputs: Callable[[State, Array], Array]


@lru_cache(maxsize=16)
def programs(
    function: Function,
    loss: Loss,
    rule: Optimizer,
    metrics: tuple[str, ...],
    host: tuple[tuple[str, tuple[int, ...]], ...],
) -> Programs:
    """Make the programs of a network.

    Args:
        function: The network.
        loss: What is minimised.
        rule: The update rule.
        metrics: What is measured.
        host: Which starts are made on the host, see `fanin.jax.starts.made_on_host`.

    Returns:
        The programs; each is compiled when it first runs, and again for arrays of another shape.
    """
    shapes = {slot.name: slot.shape for slot in function.slots}
    update = transformation(rule)

    def start(parts: Ingredients) -> State:
        parameters = stack(parts, shapes, host)
        leading = next(iter(parameters.values())).shape[:2]
        buffers = {
            name: jnp.broadcast_to(values, (*leading, *values.shape))
            for name, values in function.buffers.items()
        }
        return State(parameters, buffers, update.init(parameters), jnp.int32(0))

    def objective(
        parameters: Arrays, buffers: Arrays, features: Array, targets: Array, key: Array
    ) -> tuple[Array, Arrays]:
        outputs, after = function.forward(parameters, buffers, features, key)
        return example_losses(loss, outputs, targets).mean(), after

    slope = jax.grad(objective, has_aux=True)
    # All schemes of a run share its batch and its random numbers.
    slopes = jax.vmap(jax.vmap(slope, in_axes=(0, 0, None, None, None)))

    def advance(
        state: State,
        features: Array,
        targets: Array,
        batches: Array,
        first: Array,
        count: Array,
        keys: Array,
    ) -> State:
        def step(index: Array, state: State) -> State:
            picked = batches[first + index]
            own = jax.vmap(jax.random.fold_in, in_axes=(0, None))(
                jax.random.wrap_key_data(keys), state.step
            )
            gradients, buffers = slopes(
                state.parameters, state.buffers, features[picked], targets[picked], own
            )
            change, memory = update.update(gradients, state.memory, state.parameters)
            parameters = jax.tree.map(jnp.add, state.parameters, change)
            return State(parameters, buffers, memory, state.step + 1)

        return lax.fori_loop(0, count, step, state)

    def figures(
        parameters: Arrays, buffers: Arrays, features: Array, targets: Array, part: Array
    ) -> dict[str, Array]:
        outputs = function.forward(parameters, buffers, features, None)[0]
        measured = {"loss": example_losses(loss, outputs, targets)}
        if "accuracy" in metrics:
            measured["accuracy"] = hits(loss, outputs, targets).astype(jnp.float32)
        inside = part == jnp.arange(len(SPLITS))[:, None]
        return {name: jnp.where(inside, own, 0).sum(-1) for name, own in measured.items()}

    def measure(state: State, examples: Examples) -> dict[str, Array]:
        schemes = jax.vmap(figures, in_axes=(0, 0, None, None, None))
        every = jax.vmap(schemes, in_axes=(0, 0, None, None, None))
        leading = next(iter(state.parameters.values())).shape[:2]
        zero = {name: jnp.zeros((*leading, len(SPLITS))) for name in metrics}

        def block(sums: dict[str, Array], own: Examples) -> tuple[dict[str, Array], None]:
            more = every(state.parameters, state.buffers, *own)
            return jax.tree.map(jnp.add, sums, more), None

        return lax.scan(block, zero, examples)[0]

    def outputs(state: State, features: Array) -> Array:
        def one(parameters: Arrays, buffers: Arrays) -> Array:
            return function.forward(parameters, buffers, features, None)[0]

        return jax.vmap(jax.vmap(one))(state.parameters, state.buffers)

    compiled = (jax.jit(advance, donate_argnums=0), jax.jit(measure), jax.jit(outputs))
    return Programs(jax.jit(start), *compiled)


@partial(jax.jit, static_argnums=1)
def order_words(keys: Array, count: int) -> tuple[Array, Array]:
    """Draw the words that order some examples, for many runs.

    Args:
        keys: The key of each run's order, uint32 of shape (run, 2).
        count: How many examples.

    Returns:
        First and second word of each block, uint32 of shape (run, count).
    """
    blocks = jnp.arange(count, dtype=jnp.uint32)
    return jax.vmap(threefry, in_axes=(0, None, None))(keys, blocks, jnp.zeros_like(blocks))
