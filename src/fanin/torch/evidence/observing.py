"""Looking at the output and the gradients of a pass while they are there."""

from dataclasses import replace

from torch import Tensor

from fanin.checks import Answer, Gradient, Values
from fanin.torch.evidence.answer import read_answer
from fanin.torch.evidence.gradients import read_gradient
from fanin.torch.layouts import Site
from fanin.torch.tracing.running import Arguments
from fanin.torch.tracing.tracer import Chosen


class Observer:
    """Sees one pass.

    Args:
        values: What the parameters hold.
    """

    def __init__(self, values: dict[str, Values]) -> None:
        self._values = values
        self.gradients = dict[str, Gradient]()
        self.answer: Answer | None = None

    def answered(self, chosen: Chosen, arguments: Arguments) -> None:
        """See the output and the loss.

        Args:
            chosen: The loss.
            arguments: The batch.
        """
        del arguments
        self.answer = read_answer(chosen)

    def arrived(self, site: Site, tensor: Tensor, gradient: Tensor) -> None:
        """See the gradient of one parameter.

        Args:
            site: The parameter.
            tensor: The tensor that is trained.
            gradient: Its gradient.
        """
        slot = site.slot
        values = self._values.get(slot.name)
        if values is not None and len(site.place.tensors) == 1:
            self.gradients[slot.name] = read_gradient(slot, values, tensor, gradient)
        elif values is not None:
            # The tensors behind a parametrisation have shapes of their own.
            bare = replace(values, equal=())
            self.gradients[slot.name] = read_gradient(slot, bare, tensor, gradient)
