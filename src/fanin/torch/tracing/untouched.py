"""Leaving a model as it was found, whatever its forward pass does to it.

A pass may move running statistics, fill caches, count calls, write to parameters. What it can reach
is copied before (buffers, plain attributes) or at the moment before it is written (parameters), and
put back afterwards, also when the pass fails half way.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from fanin.torch.randomness import seeded
from fanin.torch.settings import kept_settings
from fanin.torch.tracing.values import is_mapping, is_sequence


class Guard:
    """Keeps copies of what is about to be written.

    Args:
        model: The model to watch over.
    """

    def __init__(self, model: nn.Module) -> None:
        self._watched = {
            _memory(parameter): parameter for parameter in model.parameters() if parameter.numel()
        }
        self._saved = dict[int, tuple[Tensor, Tensor]]()

    def before_writing(self, tensor: Tensor) -> None:
        """Copy a parameter, if that is what the tensor is or looks into.

        Args:
            tensor: What is about to be written to.
        """
        if tensor.is_meta or not self._watched:
            return
        place = _memory(tensor)
        parameter = self._watched.get(place)
        if parameter is not None and place not in self._saved:
            self._saved[place] = (parameter, parameter.detach().clone())

    def put_back(self) -> None:
        """Write the copies back."""
        with torch.no_grad():
            for parameter, before in self._saved.values():
                parameter.data.copy_(before)


def _memory(tensor: Tensor) -> int:
    try:
        return tensor.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError):
        return -1  # a tensor of a wrapped kind has no memory of its own


@contextmanager
def untouched(model: nn.Module, seed: int, purpose: str) -> Generator[Guard]:
    """Put a model and the process back as they were, however the body ends.

    Args:
        model: The model.
        seed: Seed for what the body draws; the states of all generators are put back.
        purpose: What the numbers are for.

    Yields:
        The guard, to be told before parameters are written to.
    """
    modules = list(model.modules())
    attributes = [dict(vars(module)) for module in modules]
    contents = [_contents(own) for own in attributes]
    buffers = [
        (buffer, buffer.detach().clone())
        for buffer in _tensors(model, attributes)
        if not buffer.is_meta
    ]
    parameters = [
        (parameter, parameter.grad, parameter.requires_grad) for parameter in model.parameters()
    ]
    guard = Guard(model)
    try:
        for parameter, _, _ in parameters:
            parameter.grad = None  # a backward pass inside the model would add to it in place
        with kept_settings(), seeded(seed, purpose):
            yield guard
    finally:
        for module, own, inside in zip(modules, attributes, contents, strict=True):
            _restore(module, own, inside)
        guard.put_back()
        with torch.no_grad():
            for buffer, before in buffers:
                if not _same(buffer, before):
                    buffer.data.copy_(before)
        for parameter, grad, requires_grad in parameters:
            parameter.grad = grad
            if parameter.requires_grad != requires_grad:
                parameter.requires_grad_(requires_grad)


def _same(buffer: Tensor, before: Tensor) -> bool:
    if buffer.layout is not torch.strided or buffer.is_nested:
        return False  # torch cannot compare them; copying back is always right
    if buffer.shape != before.shape:
        buffer.data = before.clone()
        return True
    return buffer.is_quantized or torch.equal(buffer, before)


def _tensors(model: nn.Module, attributes: list[dict[str, Any]]) -> list[Tensor]:
    """List buffers, and tensors kept as plain attributes."""
    found = {id(buffer): buffer for buffer in model.buffers()}
    for own in attributes:
        for value in own.values():
            if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
                found[id(value)] = value
    return list(found.values())


def _contents(own: dict[str, Any]) -> dict[str, Any]:
    """Copy the containers among the attributes, one level deep."""
    return {
        name: value.copy() for name, value in own.items() if isinstance(value, list | dict | set)
    }


def _restore(module: nn.Module, own: dict[str, Any], inside: dict[str, Any]) -> None:
    current = vars(module)
    for name in [name for name in current if name not in own]:
        del current[name]
    current.update(own)
    for name, before in inside.items():
        value: Any = current[name]
        if is_sequence(before):
            if len(value) != len(before) or any(
                a is not b for a, b in zip(value, before, strict=True)
            ):
                value[:] = before
        elif value.keys() != before.keys() if is_mapping(before) else value != before:
            value.clear()
            value.update(before)
        elif is_mapping(before):
            for key, item in before.items():
                if value[key] is not item:
                    value[key] = item
