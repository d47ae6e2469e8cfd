"""Whether the study on the disk is the one that is asked for.

Two studies that differ in anything that can move a bit are two experiments. The first difference is
told by its name and both values, with the way on: the command that began the store, the version
that began it, or another store.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from fanin.errors import FaninError
from fanin.reports.document import counted
from fanin.studies.design import Design
from fanin.studies.origin import DECISIVE, Origin, Rows
from fanin.studies.store.store import Store

SHOWN = 3
"""Differences that are told one by one."""

LONGEST = 60
"""Characters of a value in a message."""


def check_same(store: Store, design: Design, origin: Origin, chunk: int | None) -> None:
    """Hold a store against the study that is asked for.

    Args:
        store: What is there.
        design: What is asked for.
        origin: Where that comes from.
        chunk: Runs to train together, if that was asked for.

    Raises:
        FaninError: The two differ; the message says where and what to do.
    """
    path, known = store.path, store.origin
    asked = list(_design(store.design, design))
    if known is None:
        raise FaninError(
            f"the store {path} was saved without the data it was trained on, so nothing can be "
            "added to it: name another store"
        )
    asked += _network(known, origin)
    if asked:
        more = f"; and {len(asked) - SHOWN} more" if len(asked) > SHOWN else ""
        raise FaninError(
            f"the store {path} holds another study: {'; '.join(asked[:SHOWN])}{more}. Repeat the "
            "command that began it, or name another store"
        )
    if dict(known.data) != dict(origin.data):
        raise FaninError(f"the store {path} was begun on other data: {_data(known, origin)}")
    _check_versions(path, known, origin)
    if chunk is not None and chunk != store.size:
        raise FaninError(
            f"the store {path} is cut into chunks of {counted(store.size, 'run')}, and chunk="
            f"{chunk} is asked for: leave chunk out, or name another store"
        )


def _design(stored: Design, asked: Design) -> Iterator[str]:
    now = asdict(asked) | {"optimizer": str(asked.optimizer)}
    for name, value in (asdict(stored) | {"optimizer": str(stored.optimizer)}).items():
        if value != now[name]:
            yield _both(name, _shown(value), _shown(now[name]))


def _network(stored: Origin, asked: Origin) -> list[str]:
    if dict(stored.rules) != dict(asked.rules):
        return [_both("rules", _shown(stored.rules), _shown(asked.rules))]
    if stored.model != asked.model:
        old, new = _first_difference(stored.model, asked.model)
        return [f"the code of the network has changed: {_both('a line of it', old, new)}"]
    for scheme, rows in stored.plans.items():
        told = _plan(rows, asked.plans.get(scheme, ()))
        if told:
            return [f"under {scheme} the network starts otherwise: {told}"]
    return []


def _plan(stored: Rows, asked: Rows) -> str | None:
    before = {row["name"]: row for row in stored}
    after = {row["name"]: row for row in asked}
    for name, row in before.items():
        if name not in after:
            return f"{name} is gone"
        for column, value in row.items():
            if after[name].get(column) != value:
                return _both(f"{column} of {name}", _shown(value), _shown(after[name].get(column)))
    new = [name for name in after if name not in before]
    return f"{new[0]} is new" if new else None


def _data(stored: Origin, asked: Origin) -> str:
    names = [*stored.data, *(name for name in asked.data if name not in stored.data)]
    name = next(name for name in names if stored.data.get(name) != asked.data.get(name))
    old, new = stored.data.get(name), asked.data.get(name)
    if old is None or new is None:
        what = f"{name} {'was not there' if old is None else 'is gone'}"
    elif old.partition(" sha256:")[0] != new.partition(" sha256:")[0]:
        what = _both(name, old.partition(" sha256:")[0], new.partition(" sha256:")[0])
    else:
        digests = [text.partition("sha256:")[2][:12] for text in (old, new)]
        what = f"{_both(f'the SHA-256 of {name}', *digests)}; some of their values have changed"
    return f"{what}. Bring back the data it was begun with, or name another store"


def _check_versions(path: Path, stored: Origin, asked: Origin) -> None:
    pairs = {name: (stored.versions.get(name), asked.versions.get(name)) for name in DECISIVE}
    for name, (old, new) in ({"engine": (stored.engine, asked.engine)} | pairs).items():
        if old != new:
            raise FaninError(
                f"the store {path} was begun with {name} {old}, and here it is {new}, which can "
                f"move the last bits of a training: go on with {name} {old}, or name another store "
                f"(fanin studies show {path} reads it as it is)"
            )


def _both(name: str, old: str, new: str) -> str:
    return f"{name} is {old} there and {new} here"


def _shown(value: object) -> str:
    if isinstance(value, tuple | list):
        text = ", ".join(map(str, cast(Sequence[object], value)))
    elif isinstance(value, Mapping):
        text = json.dumps(dict(cast(Mapping[str, Any], value)))
    else:
        text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _first_difference(old: str, new: str) -> tuple[str, str]:
    lines = [text.splitlines() for text in (old, new)]
    longest = max(map(len, lines))
    before, after = ([*text, *["nothing"] * (longest - len(text))] for text in lines)
    pairs = ((a.strip(), b.strip()) for a, b in zip(before, after, strict=True) if a != b)
    return next(pairs, ("other", "other"))
