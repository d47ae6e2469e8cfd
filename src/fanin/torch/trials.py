"""Many trainings of one network as one function of stacked parameters.

Every parameter gets two leading axes, repeat and scheme. `torch.vmap` runs the network over both;
the losses of all trainings are summed outside of it, and as no training sees another's parameters,
one ordinary backward pass gives each its own gradient. This takes fewer and larger steps than a
`vmap` of the gradient, and it is as fast as batched products written by hand.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from fanin.errors import FaninError
from fanin.torch.starts import Starts

Tensors = dict[str, Tensor]
Forward = Callable[[Tensors, Tensors, Tensor], tuple[Tensor, Tensors]]


class Trials:
    """The trainings of some repeats, all schemes of each.

    The random numbers that a network draws in a forward pass, such as those of dropout, differ
    between repeats and are the same for all schemes of a repeat, as the data order is.

    Args:
        module: The network, put into training mode; its own tensors are neither read nor written.
        starts: Where each training starts; changed in place from here on.
        together: Whether to run over all of them by `vmap`; else there must be one only.

    Attributes:
        leaves: The stacked parameters that are trained.
        count: Number of trainings.
    """

    def __init__(self, module: nn.Module, starts: Starts, *, together: bool) -> None:
        own = dict(module.named_parameters())
        self._module = module
        self._parameters = {
            name: values.detach().requires_grad_(own[name].requires_grad)
            for name, values in starts.parameters.items()
        }
        self._buffers = starts.buffers
        self.leaves = [values for values in self._parameters.values() if values.requires_grad]
        repeats, schemes = self.leaves[0].shape[:2]
        self.count = repeats * schemes
        self._own_batches: Forward = self._alone_on_its_batch
        self._same_batch: Forward = self._alone
        module.train()
        if together:
            schemes_of_a_repeat = vmap(self._call, in_dims=(0, 0, None), randomness="same")
            self._own_batches = vmap(schemes_of_a_repeat, randomness="different")
            self._same_batch = vmap(
                schemes_of_a_repeat, in_dims=(0, 0, None), randomness="different"
            )

    def train(self, features: Tensor) -> Tensor:
        """Run every training on the batch of its repeat, in training mode, with gradients.

        Args:
            features: Batches of shape (repeats, examples, ...).

        Returns:
            Outputs of shape (repeats, schemes, examples, outputs).
        """
        with torch.enable_grad():
            outputs, buffers = self._own_batches(self._parameters, self._buffers, features)
        self._buffers = {name: buffer.detach() for name, buffer in buffers.items()}
        return outputs

    def evaluate(self, features: Tensor) -> Tensor:
        """Run every training on the same examples, in evaluation mode, without gradients.

        Args:
            features: Examples of shape (examples, ...).

        Returns:
            Outputs of shape (repeats, schemes, examples, outputs).
        """
        self._module.eval()
        try:
            with torch.no_grad():
                return self._same_batch(self._parameters, self._buffers, features)[0]
        finally:
            self._module.train()

    def state(self) -> Starts:
        """Tell where each training is.

        Returns:
            The tensors themselves and not copies, of shape (repeats, schemes, ...).
        """
        parameters = {name: values.detach() for name, values in self._parameters.items()}
        return Starts(parameters, self._buffers)

    def _call(
        self, parameters: Tensors, buffers: Tensors, features: Tensor
    ) -> tuple[Tensor, Tensors]:
        """Run one training; a buffer may be updated in place or replaced, so all are returned."""
        state = {**parameters, **buffers}
        outputs: object = functional_call(self._module, state, (features,))
        if not isinstance(outputs, Tensor):
            raise FaninError(
                "the network must return one tensor of shape (examples, outputs), got "
                f"{type(outputs).__name__}"
            )
        if not outputs.is_floating_point():
            raise FaninError(f"the network must return floating-point numbers, got {outputs.dtype}")
        if outputs.ndim == 1:
            outputs = outputs.unsqueeze(-1)
        precise = torch.promote_types(outputs.dtype, torch.float32)
        return outputs.to(precise), {name: state[name] for name in buffers}

    def _alone(
        self, parameters: Tensors, buffers: Tensors, features: Tensor
    ) -> tuple[Tensor, Tensors]:
        """Run the only training, without `vmap`."""
        only = {name: values[0, 0] for name, values in parameters.items()}
        outputs, updated = self._call(
            only, {name: values[0, 0] for name, values in buffers.items()}, features
        )
        return outputs[None, None], {name: values[None, None] for name, values in updated.items()}

    def _alone_on_its_batch(
        self, parameters: Tensors, buffers: Tensors, features: Tensor
    ) -> tuple[Tensor, Tensors]:
        """Run the only training on the only repeat's batch."""
        return self._alone(parameters, buffers, features[0])
