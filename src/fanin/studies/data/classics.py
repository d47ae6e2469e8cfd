"""The two small problems that networks have been caught on since the eighties: XOR and the spirals.

They are made here and not by scikit-learn, which has neither. Noise is a draw like any other, so a
set is the same on every machine.
"""

import numpy as np
from numpy.typing import NDArray

from fanin.draws import Normal, sample

Examples = tuple[NDArray[np.float64], NDArray[np.int64]]
"""Features of shape (n, 2), and the class of each, 0 or 1."""

TURNS = 3.0
"""How often each arm of the spirals goes round."""


def make_xor(*, n_samples: int = 4, noise: float = 0.0, random_state: int = 0) -> Examples:
    """Make the corners of the unit square, class 1 where exactly one coordinate is 1.

    Args:
        n_samples: Number of examples; the corners (0, 0), (0, 1), (1, 0), (1, 1) in turn.
        noise: Standard deviation of what is added to each coordinate.
        random_state: Seed of the noise.

    Returns:
        Features and classes.

    Raises:
        ValueError: A size or the noise is out of range.

    Example:
        >>> features, classes = make_xor()
        >>> features.tolist(), classes.tolist()
        ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0])

    References:
        Rumelhart, Hinton and Williams (1986), Learning internal representations by error
        propagation, the section on exclusive or.
    """
    _check(n_samples, noise)
    corner = np.arange(n_samples) % 4
    bits = np.stack([corner // 2, corner % 2], axis=1)
    corners, classes = bits.astype(np.float64), bits.sum(axis=1) % 2
    return corners + _noise("xor", bits.shape, noise, random_state), classes


def make_spirals(*, n_samples: int = 194, noise: float = 0.0, random_state: int = 0) -> Examples:
    """Make two arms that wind around each other, turned by half a circle, the first half class 0.

    With 194 examples and no noise they are those of Lang and Witbrock, scaled to a radius of 1.

    Args:
        n_samples: Number of examples, half of them (rounded down) in the second arm.
        noise: Standard deviation of what is added to each coordinate.
        random_state: Seed of the noise.

    Returns:
        Features and classes.

    Raises:
        ValueError: A size or the noise is out of range.

    Example:
        >>> features, classes = make_spirals()
        >>> features[0].tolist(), features[97].tolist(), classes[[0, 97]].tolist()
        ([0.0, 1.0], [0.0, -1.0], [0, 1])

    References:
        Lang and Witbrock (1988), Learning to tell two spirals apart: point i of an arm has the
        angle pi i / 16 and the radius 6.5 (104 - i) / 104, for i from 0 to 96.
    """
    _check(n_samples, noise)
    sizes = (n_samples - n_samples // 2, n_samples // 2)
    arms = list[NDArray[np.float64]]()
    for sign, size in zip((1.0, -1.0), sizes, strict=True):
        along = np.linspace(0.0, 1.0, size)
        angle, radius = 2 * np.pi * TURNS * along, 1.0 - along * 96 / 104
        arms.append(sign * np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1))
    features = np.concatenate(arms)
    classes = np.repeat(np.arange(2), sizes)
    return features + _noise("spirals", features.shape, noise, random_state), classes


def _check(n_samples: int, noise: float) -> None:
    if type(n_samples) is not int or n_samples < 1:
        raise ValueError(f"n must be a whole number, at least 1, got {n_samples}")
    if not isinstance(noise, int | float) or not 0 <= noise < float("inf"):
        raise ValueError(f"noise must be a number, at least 0, got {noise}")


def _noise(
    name: str, shape: tuple[int, ...], noise: float, seed: int
) -> NDArray[np.float64] | float:
    if not noise:
        return 0.0
    return noise * sample(Normal(), seed, f"{name} noise", shape).astype(np.float64)
