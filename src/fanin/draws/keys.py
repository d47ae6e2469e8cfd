"""From a seed and a parameter's name to the key of its stream.

Every parameter has a random stream of its own, named by the seed and the parameter's name and by
nothing else, so adding a layer, changing the order or drawing on another device moves no number.
The hash is keyed and personalised: `VERSION` changes when, and only when, the numbers do.
"""

import hashlib
import operator

from fanin.errors import FaninError

VERSION = 1
"""The draws' version: with the same version, the same seed and name give the same bits for ever."""

SEEDS = 2**64
"""Seeds are integers from 0 to SEEDS - 1."""


def key(seed: int, name: str) -> tuple[int, int]:
    """Derive the Threefry key of one parameter.

    Args:
        seed: The one seed, from 0 to 2**64 - 1.
        name: The parameter's qualified name, such as ``"layers.0.weight"``.

    Returns:
        The two 32-bit words of the key.

    Raises:
        FaninError: The seed is not such an integer, or the name is not text.

    Example:
        >>> key(0, "layers.0.weight")
        (3843512154, 2923441753)

    References:
        Aumasson, Neves, Wilcox-O'Hearn and Winnerlein (2013), BLAKE2; RFC 7693, section 2.9 for
        keyed hashing.
    """
    try:
        number = operator.index(seed)
    except TypeError:
        raise FaninError(f"seed must be an integer, got {seed!r}") from None
    if not 0 <= number < SEEDS:
        raise FaninError(f"seed must lie between 0 and 2**64 - 1, got {number}")
    if not isinstance(name, str):
        raise FaninError(f"name must be the parameter's name as text, got {name!r}")
    digest = hashlib.blake2b(
        name.encode("utf-8", "surrogatepass"),
        digest_size=8,
        key=number.to_bytes(8, "little"),
        person=f"fanin draws {VERSION}".encode(),
    ).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")
