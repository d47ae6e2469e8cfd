"""The functions of `torch.nn.init` without chance: constants, the identity and its convolution."""

import torch
from torch import Tensor
from torch.overrides import has_torch_function_variadic

from fanin.errors import FaninError
from fanin.torch.init.overrides import hand_over


def constant_(tensor: Tensor, val: complex) -> Tensor:
    """Fill a tensor with one value.

    Args:
        tensor: Any shape and dtype.
        val: The value.

    Returns:
        The same tensor, filled in place.

    Example:
        >>> constant_(torch.empty(2), 0.5)
        tensor([0.5000, 0.5000])

    References:
        torch.nn.init.constant_ (torch 2.13).
    """
    if has_torch_function_variadic(tensor):
        return hand_over(torch.nn.init.constant_, constant_, tensor, {"val": val}, {})
    with torch.no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Fill a tensor with ones.

    Args:
        tensor: Any shape and dtype.

    Returns:
        The same tensor, filled in place.

    Example:
        >>> ones_(torch.empty(2))
        tensor([1., 1.])

    References:
        torch.nn.init.ones_ (torch 2.13).
    """
    with torch.no_grad():
        return tensor.fill_(1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill a tensor with zeros.

    Args:
        tensor: Any shape and dtype.

    Returns:
        The same tensor, filled in place.

    Example:
        >>> zeros_(torch.empty(2))
        tensor([0., 0.])

    References:
        torch.nn.init.zeros_ (torch 2.13).
    """
    with torch.no_grad():
        return tensor.zero_()


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with the identity: as many inputs as fit pass a linear layer unchanged.

    Args:
        tensor: Matrix of shape (out, in), square or not, any dtype.

    Returns:
        The same tensor, filled in place.

    Raises:
        FaninError: The tensor has not exactly 2 dimensions.

    Example:
        >>> eye_(torch.empty(2, 3))
        tensor([[1., 0., 0.],
                [0., 1., 0.]])

    References:
        Le, Jaitly and Hinton (2015), A simple way to initialize recurrent networks of rectified
        linear units, section 2.
    """
    if tensor.dim() != 2:
        raise FaninError(f"eye_ fills a matrix (2 dimensions), got shape {tuple(tensor.shape)}")
    with torch.no_grad():
        tensor.zero_().diagonal().fill_(1)
    return tensor


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill a convolution kernel so that as many channels as fit pass unchanged.

    A kernel of even size k has its one at position k // 2. In a grouped convolution every group
    passes its own channels.

    Args:
        tensor: Weight of a Conv1d, Conv2d or Conv3d, shape (out, in / groups, *kernel), any dtype.
        groups: Groups of the convolution, a divisor of `out`.

    Returns:
        The same tensor, filled in place.

    Raises:
        FaninError: The tensor has not 3, 4 or 5 dimensions, or `groups` does not divide `out`.

    Example:
        >>> dirac_(torch.empty(2, 2, 3))[:, :, 1]
        tensor([[1., 0.],
                [0., 1.]])

    References:
        Zagoruyko and Komodakis (2017), DiracNets: training very deep neural networks without
        skip-connections, section 3.
    """
    if tensor.dim() not in (3, 4, 5):
        raise FaninError(
            "dirac_ fills the weight of a 1-, 2- or 3-dimensional convolution (3, 4 or 5 "
            f"dimensions), got shape {tuple(tensor.shape)}"
        )
    out, channels, *kernel = tensor.shape
    if groups < 1 or out % groups:
        raise FaninError(
            f"groups must divide the first dimension of the weight, got groups={groups} for shape "
            f"{tuple(tensor.shape)}"
        )
    with torch.no_grad():
        tensor.zero_()
        if tensor.numel() and not tensor.is_meta:
            centre = tensor[(..., *(size // 2 for size in kernel))]
            for group in centre.view(groups, out // groups, channels):
                group.diagonal().fill_(1)
    return tensor
