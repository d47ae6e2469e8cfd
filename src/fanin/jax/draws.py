"""The draws as compiled programs, with the same bits as the NumPy reference.

One word serves every law: a uniform, a normal and a constant are three readings of it. So a program
takes the laws as numbers and not as code, and one that was compiled for a network draws whatever
schemes it is asked for, each of them for many seeds at once.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from numpy.typing import NDArray

from fanin.draws import Constant, Law, Normal, TruncatedNormal, Uniform
from fanin.draws.quantiles import ONE, PLACE_BITS, SEGMENT_BITS, table
from fanin.draws.threefry import ATTEMPT_SHIFT, PARITY, ROTATIONS

CONSTANT, UNIFORM, NORMAL = range(3)
"""The readings of a word."""


class Laws(NamedTuple):
    """Laws as numbers, one entry for each; float32, as the reference rounds them.

    Attributes:
        kind: `CONSTANT`, `UNIFORM` or `NORMAL`, int32.
        scale: What the standard number is multiplied by.
        offset: What is added then; the value of a constant.
        low: Where the result is cut, below.
        high: Where the result is cut, above.
        cut: Size from which a standard normal is drawn again.
    """

    kind: NDArray[np.int32]
    scale: NDArray[np.float32]
    offset: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    cut: NDArray[np.float32]


def encode(laws: list[Law]) -> Laws:
    """Write laws as numbers.

    Args:
        laws: The laws.

    Returns:
        Arrays with one entry for each.

    Example:
        >>> encode([Constant(2.0), Uniform(-1.0, 1.0)]).kind.tolist()
        [0, 1]
    """
    columns = zip(*map(_encoded, laws), strict=True)
    kind, *rest = (np.asarray(column, np.float32) for column in columns)
    return Laws(kind.astype(np.int32), *rest)


def _encoded(law: Law) -> tuple[float, ...]:
    match law:
        case Constant(value):
            return CONSTANT, 0.0, value, -np.inf, np.inf, np.inf
        case Uniform(low, high):
            # Halved before they are subtracted: the width of two huge bounds may overflow.
            return UNIFORM, high / 2 - low / 2, high / 2 + low / 2, low, high, np.inf
        case Normal(mean, std):
            return NORMAL, std, mean, -np.inf, np.inf, np.inf
        case TruncatedNormal(mean, _, cut):
            return NORMAL, law.parent_std, mean, -np.inf, np.inf, cut


def draw(laws: Laws, key: Array, count: int) -> Array:
    """Draw the same stream under several laws.

    Args:
        laws: The laws, entries of shape (law,).
        key: The two words of the stream's key, uint32 of shape (2,).
        count: Elements of the tensor.

    Returns:
        float32 of shape (law, count): the elements of the whole tensor in C order.

    Example:
        >>> from fanin.draws import key, sample
        >>> words = jnp.asarray(key(0, "layer.weight"), jnp.uint32)
        >>> numbers = draw(encode([Normal(0.0, 0.02)]), words, 6)
        >>> same = sample(Normal(0.0, 0.02), 0, "layer.weight", (6,))
        >>> bool((np.asarray(numbers[0]) == same).all())
        True
    """
    word = words(key, count)
    normal = _redrawn(normal_from_words(word), key, laws)
    uniform = (_signed((word >> 7) | 1) - 2**24).astype(jnp.float32) * jnp.float32(2**-24)
    kind, scale, offset = (jnp.asarray(part)[:, None] for part in laws[:3])
    standard = jnp.where(kind == UNIFORM, uniform, normal)
    # Rounded twice, as in the reference. The compiler would fuse the product with the sum that
    # follows; it cannot look through bits that are changed by a number only the run will know: 0.
    never = _unsigned(kind) >> 16
    scaled = _float(_unsigned(standard * scale) ^ never)
    moved = jnp.where(offset == 0, scaled, scaled + offset)
    low, high = jnp.asarray(laws.low)[:, None], jnp.asarray(laws.high)[:, None]
    return jnp.where(kind == CONSTANT, offset, jnp.clip(moved, low, high))


def words(key: Array, count: int, attempt: Array | int = 0) -> Array:
    """Compute the first words of a stream.

    Args:
        key: The two words of the stream's key, uint32.
        count: How many, below 2**32.
        attempt: How often they were drawn before.

    Returns:
        uint32 of shape (count,).
    """
    block = jnp.arange(-(-count // 2), dtype=jnp.uint32)
    high = jnp.full_like(block, jnp.asarray(attempt, jnp.uint32) << ATTEMPT_SHIFT)
    return jnp.stack(threefry(key, block, high), axis=-1).reshape(-1)[:count]


def threefry(key: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """Encrypt counters, see `fanin.draws.threefry`.

    Args:
        key: The two words of the key, uint32.
        low: Low words of the counters, uint32.
        high: High words of the counters, same shape, uint32.

    Returns:
        The two output words of each counter.
    """
    schedule = (key[0], key[1], key[0] ^ key[1] ^ jnp.uint32(PARITY))
    left, right = low + schedule[0], high + schedule[1]
    for group in range(5):
        for rotation in ROTATIONS[4 * (group % 2) : 4 * (group % 2) + 4]:
            left = left + right
            right = ((right << rotation) | (right >> (32 - rotation))) ^ left
        left = left + schedule[(group + 1) % 3]
        right = right + schedule[(group + 2) % 3] + jnp.uint32(group + 1)
    return left, right


def normal_from_words(word: Array) -> Array:
    """Turn random words into standard normal numbers, see `fanin.draws.quantiles`.

    Args:
        word: Any shape, uint32.

    Returns:
        Same shape, float32.
    """
    starts, slopes = (jnp.asarray(part) for part in table())
    tail = _signed((word >> 1) | 1).astype(jnp.float32)
    position = _unsigned(tail) - jnp.uint32(ONE)
    segment = position >> (23 - SEGMENT_BITS)
    place = (position >> (23 - SEGMENT_BITS - PLACE_BITS)) & jnp.uint32(2**PLACE_BITS - 1)
    size = starts[segment] + slopes[segment] * place.astype(jnp.float32)
    sign = (word & 1) << 31
    return _float(_unsigned(size) ^ sign)


def _redrawn(first: Array, key: Array, laws: Laws) -> Array:
    """Redraw what lies outside of its law's cut; normals of shape (law, count)."""
    cut = jnp.asarray(laws.cut)[:, None]
    numbers = jnp.broadcast_to(first, (cut.shape[0], *first.shape))

    def outside(numbers: Array) -> Array:
        return jnp.abs(numbers) > cut

    def again(state: tuple[Array, Array]) -> tuple[Array, Array]:
        numbers, attempt = state
        new = normal_from_words(words(key, first.shape[0], attempt))
        return jnp.where(outside(numbers), new, numbers), attempt + 1

    start = (numbers, jnp.uint32(1))
    return jax.lax.while_loop(lambda state: outside(state[0]).any(), again, start)[0]


def _signed(word: Array) -> Array:
    return lax.bitcast_convert_type(word, jnp.int32)


def _unsigned(number: Array) -> Array:
    return lax.bitcast_convert_type(number, jnp.uint32)


def _float(word: Array) -> Array:
    return lax.bitcast_convert_type(word, jnp.float32)
