"""What a check found; prints as a text that says what to do."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fanin.checks.evidence import Evidence
from fanin.checks.finding import Finding, Severity
from fanin.checks.text import Line, lines, plain, summary, wrapped
from fanin.errors import FaninError, nearest
from fanin.reports.terminal import Stream, coloured, write

_ENDINGS = {".html": "html", ".json": "json", ".xml": "junit", ".sarif": "sarif", ".txt": ""}


@dataclass(frozen=True)
class Report:
    """The result of a check; prints as a text.

    Attributes:
        findings: What is wrong, the worst first, and remarks after that.
        evidence: What it was read from.
        hidden: Findings that the person chose to ignore.
        seed: Seed of the builds and of the pass.
        fixed: What was filled again because the person asked for it, one tensor each.
    """

    findings: tuple[Finding, ...]
    evidence: Evidence
    hidden: tuple[Finding, ...] = ()
    seed: int = 0
    fixed: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there is no error and no warning."""
        return self.worst is None or self.worst is Severity.INFO

    @property
    def worst(self) -> Severity | None:
        """The worst severity; None where nothing was found."""
        return min((one.severity for one in self.findings), key=lambda s: s.rank, default=None)

    def __str__(self) -> str:
        return plain(self._lines())

    def show(self, stream: Stream) -> None:
        """Write the report to a stream: wrapped and in colour on a terminal, plain elsewhere.

        Args:
            stream: Such as ``sys.stdout``.
        """
        if not stream.isatty():
            write(stream, f"{self}\n")
            return
        width = shutil.get_terminal_size().columns
        told = [(line.lead, line.text, line.style) for line in wrapped(self._lines(), width)]
        write(stream, coloured(told))

    def to(self, form: str) -> str:
        """Write the report for a program.

        Args:
            form: ``"json"``, ``"junit"``, ``"sarif"``, ``"github"`` or ``"html"``.

        Returns:
            The text.

        Raises:
            FaninError: There is no such form.
        """
        from fanin.checks.formats import FORMS

        if form not in FORMS:
            raise FaninError(f"a report has no form {form!r}{nearest(form, FORMS)}")
        return FORMS[form](self)

    def to_json(self) -> str:
        """Write the report as JSON, by the schema of `fanin.checks.formats.SCHEMA`.

        Returns:
            One object.
        """
        return self.to("json")

    def save(self, path: str | Path) -> None:
        """Write the report to a file; its ending says how.

        Args:
            path: ``.html``, ``.json``, ``.xml`` (JUnit), ``.sarif`` or ``.txt``.

        Raises:
            FaninError: The ending is none of these, or the file cannot be written.
        """
        file = Path(path)
        if file.suffix not in _ENDINGS:
            raise FaninError(
                f"a report is saved as {', '.join(_ENDINGS)}; {file.name} is none of these"
            )
        form = _ENDINGS[file.suffix]
        text = self.to(form) if form else str(self)
        try:
            file.write_text(text + "\n", encoding="utf-8")
        except OSError as problem:
            raise FaninError(f"{file} cannot be written: {problem}") from problem

    def _repr_html_(self) -> str:
        from fanin.checks.formats import fragment

        return fragment(self)

    def _lines(self) -> Iterator[Line]:
        yield from lines(self.findings, self.evidence)
        for line in self.fixed:
            yield Line("" if line.startswith("proof: ") else "fixed: ", line)
        for note in self.evidence.notes:
            yield Line("note: ", note)
        told = summary(self.findings, self.evidence, len(self.hidden), self.seed)
        yield Line("", told, "bold")
