"""PyTorch: reading models, initialising them, and training many at once.

The only room that imports torch. Its names are loaded when they are asked for, because a person who
wants `fanin.torch.init` has no use for the trainer.
"""

import importlib
from typing import TYPE_CHECKING, Any

from fanin.errors import need

need("torch", extra="torch", purpose="fanin.torch")

if TYPE_CHECKING:
    from fanin.torch import apply as apply
    from fanin.torch import calibrate as calibrate
    from fanin.torch import draws as draws
    from fanin.torch import held as held
    from fanin.torch import init as init
    from fanin.torch import layouts as layouts
    from fanin.torch import stream as stream
    from fanin.torch import trainer as trainer
    from fanin.torch.apply import init_ as init_
    from fanin.torch.apply import values as values
    from fanin.torch.layouts import layer_layout as layer_layout
    from fanin.torch.layouts import slots as slots
    from fanin.torch.materialise import parameters_on_meta as parameters_on_meta

_NAMES = {
    "init_": "apply",
    "values": "apply",
    "layer_layout": "layouts",
    "slots": "layouts",
    "parameters_on_meta": "materialise",
}
_MODULES = frozenset(
    {"apply", "calibrate", "draws", "held", "init", "layouts", "stream", "trainer"}
)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"fanin.torch.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(f"fanin.torch.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'fanin.torch' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*_NAMES, *_MODULES})
