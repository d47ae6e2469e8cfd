"""A network that is a pure function, as JAX likes them: `apply(params, features)` and its `params`.

The parameters are a tree of arrays, and each is named by its path: ``layers.0.kernel``. Which axes
of an array are summed over is read as `jax.nn.initializers` reads it: the last axis is put out, the
one before is summed over, and those before that are the window of a convolution.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from fanin.errors import FaninError
from fanin.jax.networks import Arrays, Function
from fanin.recipes import Role, Slot
from fanin.schemes import Layout

_ROLES = {
    "bias": Role.BIAS,
    "b": Role.BIAS,
    "beta": Role.NORM_OFFSET,
    "offset": Role.NORM_OFFSET,
    "scale": Role.NORM_GAIN,
    "gamma": Role.NORM_GAIN,
    "gain": Role.NORM_GAIN,
}
"""What a vector is for, by the last part of its name."""


@dataclass(frozen=True, eq=False)
class Model:
    """A network as a pure function and its parameters.

    Attributes:
        apply: From parameters and features of shape (examples, ...) to outputs of shape
            (examples, outputs): logits, for a cross-entropy.
        params: A tree of arrays, or a function of a random key that makes one. Only their paths,
            shapes and dtypes count, and the values of what a scheme keeps.

    Example:
        >>> def apply(params, features):
        ...     return features @ params["kernel"] + params["bias"]
        >>> model = Model(apply, {"kernel": jnp.zeros((4, 3)), "bias": jnp.zeros(3)})
        >>> [(slot.name, str(slot.role)) for slot in model.function().slots]
        [('bias', 'bias'), ('kernel', 'kernel')]
    """

    apply: Callable[[Any, Array], Array]
    params: Any

    def function(self) -> Function:
        """Take the model as a function of named parameters.

        Returns:
            The function; the same one each time, so that what was compiled for it serves again.

        Raises:
            FaninError: The parameters are no tree of arrays.
        """
        return _function(self)


@lru_cache(maxsize=16)
def _function(model: Model) -> Function:
    params = _made(model.params)
    leaves, structure = jax.tree_util.tree_flatten_with_path(params)
    names = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves]
    held = {name: _values(name, leaf) for name, (_, leaf) in zip(names, leaves, strict=True)}
    if not held:
        raise FaninError("the params of a fanin.jax.Model hold no array: there is nothing to train")
    trained = {name for name, values in held.items() if values.dtype == np.float32}

    def forward(
        parameters: Arrays, buffers: Arrays, features: Array, key: Array | None
    ) -> tuple[Array, Arrays]:
        del key
        own = [parameters[name] if name in trained else held[name] for name in names]
        outputs = model.apply(jax.tree_util.tree_unflatten(structure, own), features)
        return outputs[:, None] if outputs.ndim == 1 else outputs, buffers

    slots = tuple(_slot(name, held[name].shape) for name in names if name in trained)
    return Function(slots, {}, forward, {name: held[name] for name in trained})


def _made(params: Any) -> Any:
    if not callable(params):
        return params
    try:
        return params(jax.random.key(0))
    except Exception as problem:
        raise FaninError(
            "the params of a fanin.jax.Model must be a tree of arrays or a function of a random "
            f"key that makes one; this function failed: {type(problem).__name__}: {problem}"
        ) from problem


def _values(name: str, leaf: Any) -> NDArray[Any]:
    if isinstance(leaf, jax.ShapeDtypeStruct):
        leaf = np.zeros(leaf.shape, leaf.dtype)
    if not isinstance(leaf, jax.Array | np.ndarray):
        raise FaninError(
            f"the params of a fanin.jax.Model must be a tree of arrays, and {name} is "
            f"{type(leaf).__name__}"
        )
    values = np.asarray(leaf)
    floating = jnp.issubdtype(values.dtype, jnp.floating)
    return values.astype(np.float32) if floating else values


def _slot(name: str, shape: tuple[int, ...]) -> Slot:
    last = name.rpartition(".")[2].lower()
    if len(shape) < 2:
        return Slot(name, shape, _ROLES.get(last, Role.OTHER), None, None, "Model")
    axes = len(shape)
    if "embed" in last:
        layout = Layout.embedding()
        return Slot(name, shape, Role.EMBEDDING, layout, layout.fans(shape), "Model")
    window = tuple(range(axes - 2))
    layout = Layout(in_axes=(axes - 2,), out_axes=(axes - 1,), kernel_axes=window)
    return Slot(name, shape, Role.KERNEL, layout, layout.fans(shape), "Model")
