"""Building a model under the recorder, and leaving the process as it was."""

import time
from collections.abc import Callable

from torch import nn

from fanin.births import Births
from fanin.torch.births.assembling import assemble
from fanin.torch.births.exposure import exposed
from fanin.torch.births.methods import watched_methods
from fanin.torch.births.recorder import Recorder
from fanin.torch.births.threads import followed
from fanin.torch.building import call, for_a_build


def record(
    build: Callable[[], nn.Module], seed: int = 0, *, poison: bool = True
) -> tuple[nn.Module, Births]:
    """Build a model and note every write that its tensors receive.

    Args:
        build: Builds the model.
        seed: Seed of Python's, NumPy's and torch's generators; their states are put back.
        poison: Whether memory that nobody wrote is filled with nan, and left so in the model.

    Returns:
        The model, and who wrote what.

    Raises:
        FaninError: The build fails, or returns no module.

    Example:
        >>> def build():
        ...     layer = nn.Linear(4, 2)
        ...     nn.init.normal_(layer.weight, std=0.02)
        ...     return layer
        >>> _, births = record(build)
        >>> [f"{write.function} {write.by}" for write in births.of("weight").writes]
        ['nn.init.kaiming_uniform_ constructor', 'nn.init.normal_ init']
        >>> births.of("weight").last.arguments
        'mean=0, std=0.02'
    """
    recorder = Recorder(poisoning=poison)
    began = time.perf_counter()
    with for_a_build(seed):
        with watched_methods() as methods, exposed(recorder), followed(recorder), recorder:
            model = call(build)
        seconds = time.perf_counter() - began
        return model, assemble(model, recorder, methods, seconds)
