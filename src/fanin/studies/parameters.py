"""The parameters of a network of the grammar as slots, without building it in any framework.

A line says all there is to know of its parameters: names, shapes, roles and fans. So a plan can be
made for it by an engine of any framework, and it is the plan of the module that PyTorch builds.
"""

from fanin.recipes import Role, Slot
from fanin.schemes import Layout
from fanin.studies.grammar import Network

_NORM_LAYERS = {"layer": "LayerNorm", "batch": "BatchNorm1d"}


def slots_of(network: Network) -> tuple[Slot, ...]:
    """List the parameters of a network.

    Args:
        network: The network.

    Returns:
        One slot for each parameter, in the order of ``network.shapes``.

    Example:
        >>> [(slot.name, str(slot.role)) for slot in slots_of(Network.parse("4-1 sigmoid"))]
        [('layers.0.weight', 'kernel'), ('layers.0.bias', 'bias')]
    """
    layout = Layout.linear()
    slots = list[Slot]()
    for name, shape in network.shapes.items():
        group, index, kind = name.split(".")
        if group == "norms":
            role = Role.NORM_GAIN if kind == "weight" else Role.NORM_OFFSET
            slots.append(Slot(name, shape, role, None, None, _NORM_LAYERS[network.norm]))
            continue
        fan_in, fan_out = network.sizes[int(index)], network.sizes[int(index) + 1]
        fans = layout.fans((fan_out, fan_in))
        if kind == "weight":
            slots.append(Slot(name, shape, Role.KERNEL, layout, fans, "Linear"))
        else:
            slots.append(Slot(name, shape, Role.BIAS, None, fans, "Linear"))
    return tuple(slots)
