"""What fanin says when it cannot go on.

Every mistake of the person ends in a `FaninError`: one message that says what was passed, what was
expected, which argument it was and what to do next. Nothing inside fanin raises a bare built-in
error on purpose, so the command line can print the message alone and a program can catch one type.
"""

import difflib
import importlib.util
from collections.abc import Iterable


class FaninError(ValueError):
    """A request that cannot be carried out, told so that the person knows what to change.

    Example:
        >>> raise FaninError("repeats must be at least 1, got 0")
        Traceback (most recent call last):
        ...
        fanin.errors.FaninError: repeats must be at least 1, got 0
    """


class MissingExtra(FaninError, ImportError):
    """A library that belongs to an optional extra is not installed."""


def need(library: str, *, extra: str, purpose: str) -> None:
    """Raise `MissingExtra`, with the install command, unless a library can be imported.

    Args:
        library: Import name of the library, such as ``"xarray"``.
        extra: The extra of fanin that installs it, such as ``"study"``.
        purpose: What it is needed for, as the start of a sentence, such as ``"fanin.compare"``.

    Raises:
        MissingExtra: The library is not installed.

    Example:
        >>> need("numpy", extra="study", purpose="fanin.compare")
    """
    if importlib.util.find_spec(library) is None:
        raise MissingExtra(
            f'{purpose} needs {library}, which is not installed: pip install "fanin[{extra}]"'
        )


def nearest(word: str, choices: Iterable[str]) -> str:
    """Suggest the closest of several names, as the end of a sentence.

    Args:
        word: The name that was not found.
        choices: The names that exist.

    Returns:
        ``'; did you mean "he_normal"?'``, or an empty string when nothing is close.

    Example:
        >>> nearest("he_norml", ["he_normal", "zeros"])
        '; did you mean "he_normal"?'
        >>> nearest("xyz", ["he_normal", "zeros"])
        ''
    """
    close = difflib.get_close_matches(word.lower(), list(choices), n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""
