"""Which framework trains a study.

A network of the grammar is no framework's own, so the fastest engine takes it: JAX where it is
installed. What the compiled engine cannot know falls to PyTorch: a recipe that asks where each
parameter stands, and a scheme that keeps what PyTorch's own layers hold. A network of the person's
own is trained by the framework it is written in.
"""

import importlib.util
import sys
from collections.abc import Collection
from typing import Any

from fanin.errors import FaninError, MissingExtra, nearest
from fanin.recipes import as_recipe
from fanin.schemes import keep
from fanin.studies.grammar import Network
from fanin.studies.trainer import Trainer

ENGINES = ("jax", "torch")
"""The engines, by name, the fastest first."""


def trainer_for(
    network: object,
    schemes: Collection[str],
    rules: Collection[str] = (),
    engine: str | None = None,
) -> Trainer:
    """Choose who trains a network from some schemes.

    Args:
        network: A network of the grammar, a `fanin.jax.Model`, or a function that builds a module.
        schemes: The schemes or recipes compared, printed in full.
        rules: The schemes of single parameters.
        engine: ``"jax"`` or ``"torch"``; None for the fastest that can.

    Returns:
        The trainer.

    Raises:
        FaninError: There is no such engine, or it cannot train this network.
        MissingExtra: The framework is not installed.

    Example:
        >>> trainer_for(Network.parse("4-1"), ["he_normal"], engine="torch").name[:5]
        'torch'
    """
    if engine is not None and engine not in ENGINES:
        raise FaninError(
            f'there is no engine "{engine}"{nearest(engine, ENGINES)} '
            f"(choose from {', '.join(ENGINES)})"
        )
    against = _against_jax(network, schemes, rules)
    if engine == "jax" and against is not None:
        raise FaninError(f"the engine jax cannot train this study: {against}")
    if engine == "torch" and is_jax_model(network):
        raise FaninError("the engine torch cannot train a fanin.jax.Model: leave the engine out")
    if engine is None:
        ready = all(map(_installed, ("jax", "optax")))
        engine = "jax" if against is None and (ready or is_jax_model(network)) else "torch"
    if engine == "jax":
        return _jax()
    return _torch()


def is_jax_model(network: object) -> bool:
    """Tell whether a network is a `fanin.jax.Model`, without importing JAX to find out."""
    room: Any = sys.modules.get("fanin.jax.model")
    return room is not None and isinstance(network, room.Model)


def _against_jax(network: object, schemes: Collection[str], rules: Collection[str]) -> str | None:
    if not isinstance(network, Network):
        if is_jax_model(network):
            return None
        return "its network is a function that builds a module, which PyTorch trains"
    for scheme in schemes:
        if as_recipe(scheme).needs_trace:
            return f"{scheme} asks where each parameter stands, which PyTorch tells"
    for scheme in (*schemes, *rules):
        if scheme == str(keep()):
            return "keep asks for what the layers of PyTorch hold"
    return None


def _installed(library: str) -> bool:
    return library in sys.modules or importlib.util.find_spec(library) is not None


def _jax() -> Trainer:
    for library in ("jax", "optax"):
        if not _installed(library):
            raise MissingExtra(
                f'the engine jax needs {library}, which is not installed: pip install "fanin[jax]"'
            )
    from fanin.jax.trainer import JaxTrainer

    return JaxTrainer()


def _torch() -> Trainer:
    if not _installed("torch"):
        raise MissingExtra(
            'this study is trained with PyTorch, which is not installed: pip install "fanin[torch]"'
        )
    from fanin.torch.trainer import TorchTrainer

    return TorchTrainer()
