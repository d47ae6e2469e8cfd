"""What a network takes, and whether it fits the data, read off its program without running it.

JAX can write down the operations of a function for arrays of some shape. Their results are what a
training keeps for the backward pass, and their products are its work.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fanin.errors import FaninError
from fanin.jax.networks import Function
from fanin.jax.optimizers import MEMORIES
from fanin.studies.fits import check_outputs
from fanin.studies.trainer import Task


@dataclass(frozen=True)
class Cost:
    """What one training takes for one example.

    Attributes:
        held: Numbers kept from the forward for the backward pass.
        work: Multiplications of the forward pass.
    """

    held: int
    work: int


def examine(function: Function, task: Task) -> Cost:
    """Read off what a network takes.

    Args:
        function: The network.
        task: What it is to be trained on.

    Returns:
        The cost of one example.

    Raises:
        FaninError: The network fails on a batch, or its outputs do not fit the task.
    """
    program, batch = operations(function, task), _batch(task)
    (outputs,) = program.out_avals
    check_outputs(task.design, task.data, batch, tuple(outputs.shape))
    if not jnp.issubdtype(outputs.dtype, jnp.floating):
        raise FaninError(
            f"the network {task.design.network} must return floating-point numbers, got "
            f"{outputs.dtype}"
        )
    held = work = 0
    for equation, times in _equations(program.jaxpr, 1):
        size = times * sum(math.prod(result.aval.shape) for result in equation.outvars)
        held += size
        work += size * _terms(equation)
    return Cost(max(1, held // batch[0]), max(1, work // batch[0]))


def operations(function: Function, task: Task) -> Any:
    """Write down the operations of a network on one batch.

    Args:
        function: The network.
        task: What it is to be trained on.

    Returns:
        The program, as JAX prints and keeps it.

    Raises:
        FaninError: The network fails on a batch.
    """
    batch = _batch(task)
    parameters = {slot.name: _array(slot.shape) for slot in function.slots}
    buffers = {name: _array(values.shape) for name, values in function.buffers.items()}
    try:
        return jax.make_jaxpr(lambda p, b, x, k: function.forward(p, b, x, k)[0])(
            parameters, buffers, _array(batch), jax.random.key(0)
        )
    except Exception as problem:
        raise FaninError(
            f"the network {task.design.network} failed on a batch of {task.data.name} of shape "
            f"{batch}, {batch[0]} examples: {type(problem).__name__}: {_first_line(problem)}"
        ) from problem


def _batch(task: Task) -> tuple[int, ...]:
    """Shape of the features of a batch."""
    train = task.data.train
    return (min(task.design.batch_size, len(train)), *train.features.shape[1:])


def training_bytes(function: Function, task: Task, cost: Cost) -> int:
    """Estimate the memory that one training takes.

    Args:
        function: The network.
        task: What it is trained on, and by which rule.
        cost: What an example takes.

    Returns:
        Bytes.
    """
    state = 4 * sum(math.prod(slot.shape) for slot in function.slots)
    batch = min(task.design.batch_size, len(task.data.train))
    # Value, gradient, a temporary of the update and what the rule remembers; the backward pass
    # holds about as much as the forward pass has kept for it.
    return state * (3 + MEMORIES[task.design.optimizer.name]) + 8 * cost.held * batch


def order_bytes(task: Task) -> int:
    """Estimate the memory that the data order of one epoch takes, words, order and batches."""
    return 24 * len(task.data.train)


def _array(shape: tuple[int, ...]) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, np.float32)


def _equations(program: Any, times: int) -> Iterator[tuple[Any, int]]:
    """List the operations, those inside of others in place of them, with how often they run."""
    for equation in program.eqns:
        inner = [part for part in equation.params.values() if hasattr(part, "eqns")]
        inner += [part.jaxpr for part in equation.params.values() if hasattr(part, "jaxpr")]
        for part in inner:
            yield from _equations(part, times * equation.params.get("length", 1))
        if not inner:
            yield equation, times


def _terms(equation: Any) -> int:
    """How many products are summed for one number of the result."""
    shapes = [operand.aval.shape for operand in equation.invars]
    if equation.primitive.name == "dot_general":
        (summed, _), _ = equation.params["dimension_numbers"]
        return math.prod(shapes[0][axis] for axis in summed)
    if equation.primitive.name == "conv_general_dilated":
        put_out = equation.params["dimension_numbers"].rhs_spec[0]
        return math.prod(shapes[1]) // max(1, shapes[1][put_out])
    return 1


def _first_line(problem: Exception) -> str:
    return (str(problem).strip().splitlines() or [""])[0]
