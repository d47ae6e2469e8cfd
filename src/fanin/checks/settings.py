"""What a person wants to hear of: the table ``[tool.fanin.check]`` of pyproject.toml, and comments.

A rule is named by its code or by the beginning of one: ``FI3`` is the whole family. A comment
``# fanin: ignore[FI203]`` on the line that wrote a tensor silences the rule for what that line
wrote; it needs a watched build, because only then is the line known.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast

from fanin.births import Birth, Births, Frame
from fanin.checks.catalogue import rules
from fanin.checks.finding import Finding, Severity
from fanin.errors import FaninError, nearest

_COMMENT = re.compile(r"#\s*fanin:\s*ignore(?:\[([^\]]*)\])?")
_KEYS = ("fail-on", "ignore", "per-tensor-ignore", "select", "severity")
_WHERE = "[tool.fanin.check]"


@dataclass(frozen=True)
class Settings:
    """What to report, and how severely.

    Attributes:
        select: Codes or beginnings of codes to report; empty for all.
        ignore: Codes or beginnings of codes to leave out.
        severity: Code or beginning of one to the severity its findings get.
        per_tensor_ignore: Pattern of tensor names (as of `fnmatch`) to codes to leave out there.
        fail_on: The mildest severity that a check fails on.
        remarks: Whether to report what is fine but worth knowing.

    Example:
        >>> Settings(ignore=("FI3",)).wants("FI301")
        False
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severity: Mapping[str, Severity] = field(default_factory=dict[str, Severity])
    per_tensor_ignore: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict[str, tuple[str, ...]]
    )
    fail_on: Severity = Severity.WARNING
    remarks: bool = True

    def wants(self, code: str) -> bool:
        """Tell whether a rule is to be reported.

        Args:
            code: Its code.

        Returns:
            Whether it is selected and not ignored.
        """
        chosen = not self.select or _covered(code, self.select)
        return chosen and not _covered(code, self.ignore)

    def sift(
        self, findings: Iterable[Finding], births: Births | None
    ) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
        """Sort findings into those to report and those that were waved off.

        Args:
            findings: All of them.
            births: Who wrote what, for the comments; None where no build was watched.

        Returns:
            What to report, with the severities of the settings, and what is hidden. A finding that
            is waved off for a part of its tensors is reported for the others.
        """
        kept, hidden = list[Finding](), list[Finding]()
        for finding in findings:
            names = tuple(name for name in finding.where if not self._waved(finding, name, births))
            by_line = finding.location is not None and _waves(finding.location.text, finding.code)
            if not self.wants(finding.code) or by_line or (finding.where and not names):
                hidden.append(finding)
                continue
            wanted = self._severity(finding)
            if self.remarks or wanted is not Severity.INFO:
                kept.append(replace(finding, where=names, severity=wanted))
        return tuple(kept), tuple(hidden)

    def _severity(self, finding: Finding) -> Severity:
        fitting = [code for code in self.severity if finding.code.startswith(code)]
        return self.severity[max(fitting, key=len)] if fitting else finding.severity

    def _waved(self, finding: Finding, name: str, births: Births | None) -> bool:
        patterns = self.per_tensor_ignore.items()
        if any(fnmatchcase(name, p) and _covered(finding.code, codes) for p, codes in patterns):
            return True
        birth = None if births is None else births.of(name)
        return birth is not None and any(
            _waves(frame.text, finding.code) for frame in _lines_of(birth)
        )


def _lines_of(birth: Birth) -> Iterator[Frame]:
    """The line that made a tensor, and those that wrote it."""
    if birth.allocation is not None:
        yield from birth.allocation.frames[:1]
    for write in birth.writes:
        yield from write.frames[:1]


def _covered(code: str, beginnings: Iterable[str]) -> bool:
    return any(code.startswith(beginning) for beginning in beginnings)


def _waves(text: str, code: str) -> bool:
    found = _COMMENT.search(text)
    if found is None:
        return False
    listed = found.group(1)
    return listed is None or _covered(code, [part.strip().upper() for part in listed.split(",")])


def read_settings(folder: Path) -> Settings:
    """Read the settings of the project that a folder belongs to.

    Args:
        folder: The folder; the nearest pyproject.toml at or above it counts.

    Returns:
        The settings; the defaults where there is no such file or no such table.

    Raises:
        FaninError: The file is no TOML, or the table holds what it should not.
    """
    for place in (folder, *folder.parents):
        path = place / "pyproject.toml"
        if path.is_file():
            return _read(path)
    return Settings()


def _read(path: Path) -> Settings:
    try:
        parsed: Any = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise FaninError(f"{path} cannot be read as TOML: {problem}") from problem
    table: Any = parsed
    for key in ("tool", "fanin", "check"):
        table = cast("dict[str, Any]", table).get(key, {})
        if not isinstance(table, dict):
            raise FaninError(f"{_WHERE} in {path} must be a table, and {key} is {table!r}")
    given = cast("dict[str, Any]", table)
    for key in given:
        if key not in _KEYS:
            raise FaninError(f'{_WHERE} in {path} has no setting "{key}"{nearest(key, _KEYS)}')
    per_tensor = _table(given, "per-tensor-ignore", path)
    severities = _table(given, "severity", path)
    return Settings(
        select=codes(given.get("select", []), f"select in {path}"),
        ignore=codes(given.get("ignore", []), f"ignore in {path}"),
        severity={
            codes([code], f"severity in {path}")[0]: severity(level, f"severity in {path}")
            for code, level in severities.items()
        },
        per_tensor_ignore={
            pattern: codes(listed, f"per-tensor-ignore in {path}")
            for pattern, listed in per_tensor.items()
        },
        fail_on=severity(given.get("fail-on", "warning"), f"fail-on in {path}"),
    )


def _table(given: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    table = given.get(key, {})
    if not isinstance(table, dict):
        raise FaninError(f"{key} in {_WHERE} of {path} must be a table")
    return cast("dict[str, Any]", table)


def codes(listed: Any, where: str) -> tuple[str, ...]:
    """Read a list of codes.

    Args:
        listed: A list of codes, or of beginnings of codes, in any case.
        where: Where it stands, for the error.

    Returns:
        The codes.

    Raises:
        FaninError: It is no list of texts, or no rule begins like one of them.

    Example:
        >>> codes(["fi1"], "--ignore")
        ('FI1',)
    """
    given: Any = listed
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in given):
        raise FaninError(
            f'{where} must be a list of codes such as ["FI203", "FI3"], got {listed!r}'
        )
    wanted = tuple(one.strip().upper() for one in cast("list[str]", given))
    known = [rule.code for rule in rules()]
    for code in wanted:
        if not code or not any(name.startswith(code) for name in known):
            raise FaninError(f'{where}: no rule is called "{code}"{nearest(code, known)}')
    return wanted


def severity(level: Any, where: str) -> Severity:
    """Read a severity.

    Args:
        level: Its name.
        where: Where it stands, for the error.

    Returns:
        The severity.

    Raises:
        FaninError: There is no such severity.

    Example:
        >>> severity("error", "--fail-on").rank
        0
    """
    try:
        return Severity(level)
    except ValueError:
        raise FaninError(f"{where} must be one of {', '.join(Severity)}, got {level!r}") from None
