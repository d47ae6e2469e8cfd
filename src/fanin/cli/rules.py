"""Rules as they are typed: ``--rule NAME=SCHEME``, as often as there are rules."""

from collections.abc import Iterable

from fanin.errors import FaninError


def read_rules(texts: Iterable[str]) -> dict[str, str]:
    """Read the rules of a command line.

    Args:
        texts: What was typed, in order.

    Returns:
        Pattern of parameter names to scheme.

    Raises:
        FaninError: One is not written NAME=SCHEME.

    Example:
        >>> read_rules(["pos_embed=normal(0, 0.02)", "*.gate = ones"])
        {'pos_embed': 'normal(0, 0.02)', '*.gate': 'ones'}
    """
    return dict(map(_rule, texts))


def _rule(text: str) -> tuple[str, str]:
    name, equals, scheme = text.partition("=")
    if not equals or not name.strip() or not scheme.strip():
        raise FaninError(
            f'--rule is written NAME=SCHEME, such as "pos_embed=normal(0, 0.02)", got {text!r}'
        )
    return name.strip(), scheme.strip()
