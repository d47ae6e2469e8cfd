"""The modules of a model as the rules see them."""

from torch import nn

from fanin.checks import Layer
from fanin.torch.layouts import module_names


def layers(model: nn.Module) -> tuple[Layer, ...]:
    """List the modules.

    Args:
        model: Any module.

    Returns:
        One layer for each module, in the order of the model.

    Example:
        >>> layers(nn.Embedding(5, 2, padding_idx=0))[0].settings["padding_idx"]
        0
    """
    return tuple(_layer(path, module) for path, module in module_names(model))


def _layer(path: str, module: nn.Module) -> Layer:
    own = [name for name, _ in module.named_parameters(recurse=False)]
    own += [name for name, _ in module.named_buffers(recurse=False)]
    return Layer(
        path=path,
        kind=type(module).__name__,
        classes=tuple(f"{kind.__module__}.{kind.__qualname__}" for kind in type(module).__mro__),
        tensors=tuple(f"{path}.{name}" if path else name for name in own),
        training=module.training,
        settings={
            name: value
            for name, value in vars(module).items()
            if not name.startswith("_") and isinstance(value, int | float | str | bool | None)
        },
    )
