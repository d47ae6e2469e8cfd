"""What a scheme is: the recipe for the values of one tensor, as a value.

There are two kinds. An element-wise scheme (here) turns the fans into a law, and every element is
drawn from it on its own, so any region of the tensor can be drawn alone, on any device. A matrix
scheme (`fanin.schemes.matrices`) makes the matrices of the tensor as wholes.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import Field, dataclass, fields
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fanin.draws import Law, sample
from fanin.draws.dtypes import floating
from fanin.draws.regions import runs_of
from fanin.schemes.arguments import RULE, show
from fanin.schemes.fans import Fans
from fanin.schemes.layout import Layout

Style = Literal["positions", "keywords", "changes", "list"]
"""How a scheme prints its arguments: all in order, all by keyword, only those that differ from a
default that is the definition of the scheme, or the items of its one argument, a tuple."""


@dataclass(frozen=True)
class Moments:
    """What a scheme promises of an element picked at random from the tensor.

    Attributes:
        mean: Mean over the tensor.
        std: Standard deviation over the tensor.
    """

    mean: float
    std: float

    @property
    def rms(self) -> float:
        """Root of the mean square."""
        return math.hypot(self.mean, self.std)


@dataclass(frozen=True)
class Target:
    """The tensor a scheme is asked about, as far as it is known."""

    shape: tuple[int, ...] | None
    layout: Layout | None
    fans: Fans | None


@dataclass(frozen=True)
class Request(Target):
    """A tensor to draw, or a region of it."""

    shape: tuple[int, ...]
    seed: int
    name: str
    region: tuple[slice, ...] | None
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Scheme(ABC):
    """The values of one tensor as a pure function of seed, name, shape and fans.

    Schemes are checked when built, compare equal when they were built alike, print in full and are
    read back by `fanin.schemes.parse`.
    """

    style: ClassVar[Style] = "changes"

    def __post_init__(self) -> None:
        for argument in self.arguments():
            checked = argument.metadata[RULE](self.name(), argument.name, self._get(argument))
            object.__setattr__(self, argument.name, checked)

    def __str__(self) -> str:
        if self.style == "list":
            (only,) = self.arguments()
            return f"{self.name()}({', '.join(map(show, self._get(only)))})"
        given = [
            (argument.name, show(self._get(argument)))
            for argument in self.arguments()
            if self.style != "changes" or self._get(argument) != argument.default
        ]
        if not given:
            return self.name()
        if self.style == "positions":
            return f"{self.name()}({', '.join(value for _, value in given)})"
        return f"{self.name()}({', '.join(f'{name}={value}' for name, value in given)})"

    @classmethod
    def name(cls) -> str:
        """Tell the name it is written with."""
        return cls.__name__

    @classmethod
    def arguments(cls) -> tuple[Field[Any], ...]:
        """List what it takes, in order."""
        return fields(cls)

    def promised(
        self,
        fans: Fans | None = None,
        *,
        shape: Sequence[int] | None = None,
        layout: Layout | None = None,
    ) -> Moments:
        """Tell the mean and the standard deviation of an element before anything is drawn.

        Args:
            fans: Fans of the layer; needed by a scheme that scales with them unless `layout` and
                `shape` are given.
            shape: Shape of the stored tensor. Needed by a matrix scheme, which otherwise takes the
                matrix of a linear layer with these fans.
            layout: What its axes are for.

        Returns:
            The moments of the law; for a matrix scheme those over the whole tensor, in expectation.
            Both are 0 for a tensor without elements.

        Raises:
            FaninError: What the scheme needs is missing, or it cannot fill the shape.

        Example:
            >>> from fanin.schemes import orthogonal, uniform
            >>> round(uniform(-1, 1).promised().std ** 2, 12)
            0.333333333333
            >>> orthogonal().promised(shape=(16, 4)).rms
            0.25
        """
        if shape is not None and 0 in shape:
            return Moments(0.0, 0.0)
        return self._promised(Target(None if shape is None else tuple(shape), layout, fans))

    def values(
        self,
        shape: Sequence[int],
        *,
        seed: int,
        name: str,
        layout: Layout | None = None,
        fans: Fans | None = None,
        region: tuple[slice, ...] | None = None,
        dtype: DTypeLike = np.float32,
    ) -> NDArray[Any]:
        """Draw a tensor, or a region of it.

        Args:
            shape: Shape of the whole stored tensor. A tensor without elements is returned empty.
            seed: The one seed, from 0 to 2**64 - 1.
            name: The parameter's name.
            layout: What its axes are for. A scheme that scales with the fans needs it unless
                `fans` is given; a matrix scheme reads two axes as (out, in) without it.
            fans: Fans to use instead of those of the layout.
            region: One slice per axis, of the whole tensor; None draws all of it.
            dtype: Floating-point type of the result; drawn in float32 or wider and cast last.

        Returns:
            The tensor or the region, a function of the arguments and of nothing else.

        Raises:
            FaninError: The scheme cannot fill a tensor of this shape, or an argument is not valid.

        Example:
            >>> from fanin.schemes import he_normal
            >>> scheme, linear = he_normal(), Layout.linear()
            >>> whole = scheme.values((8, 4), seed=0, name="w", layout=linear)
            >>> row = scheme.values((8, 4), seed=0, name="w", layout=linear, region=(slice(2, 3),))
            >>> bool((row == whole[2:3]).all())
            True
        """
        part, kind = runs_of(shape, region).shape, floating(dtype)
        if 0 in shape:
            return np.empty(part, kind)
        return self._values(Request(tuple(shape), layout, fans, seed, name, region, kind))

    @abstractmethod
    def _promised(self, target: Target) -> Moments:
        """Tell the moments of a tensor that has elements."""

    @abstractmethod
    def _values(self, request: Request) -> NDArray[Any]:
        """Draw a tensor that has elements."""

    def _get(self, argument: Field[Any]) -> Any:
        return getattr(self, argument.name)


class ElementwiseScheme(Scheme):
    """A scheme whose elements are drawn one by one from the same law."""

    def law(self, fans: Fans | None = None) -> Law:
        """Tell the distribution of one element.

        Args:
            fans: Fans of the layer; None will do for a scheme that does not scale with them.

        Returns:
            The law.

        Raises:
            FaninError: The scheme scales with the fans, and they are missing or zero.

        Example:
            >>> from fanin.schemes import lecun_normal
            >>> lecun_normal().law(Fans(16, 4))
            Normal(mean=0.0, std=0.25)
        """
        return self._law(fans)

    @abstractmethod
    def _law(self, fans: Fans | None) -> Law:
        """Tell the distribution of one element."""

    def _fans(self, target: Target) -> Fans | None:
        """Settle the fans of the layer; a scheme that needs them has to look further."""
        return target.fans

    def _promised(self, target: Target) -> Moments:
        law = self.law(self._fans(target))
        return Moments(law.mean, law.std)

    def _values(self, request: Request) -> NDArray[Any]:
        return sample(
            self.law(self._fans(request)),
            request.seed,
            request.name,
            request.shape,
            region=request.region,
            dtype=request.dtype,
        )


class FixedScheme(ElementwiseScheme):
    """An element-wise scheme with the same law in every layer."""

    @abstractmethod
    def _fixed(self) -> Law:
        """Tell the law."""

    def _law(self, fans: Fans | None) -> Law:
        del fans  # the same in every layer
        return self._fixed()
