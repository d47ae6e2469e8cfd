"""Looking at the output and the gradients of a pass while they are there."""

from torch import Tensor

from fanin.checks import Answer, Gradient, Values
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
        self.answer = Answer(value=chosen.number)

    def arrived(self, site: Site, tensor: Tensor, gradient: Tensor) -> None:
        """See the gradient of one parameter.

        Args:
            site: The parameter.
            tensor: The tensor that is trained.
            gradient: Its gradient.
        """
        name = site.slot.name
        finite = bool(gradient.isfinite().all())
        self.gradients[name] = Gradient(
            name=name,
            rms=gradient.float().square().mean().sqrt().item() if tensor.numel() else 0.0,
            largest=float(gradient.abs().max()) if gradient.numel() else 0.0,
            finite=finite,
            zero=float((gradient == 0).float().mean()) if gradient.numel() else 0.0,
        )
