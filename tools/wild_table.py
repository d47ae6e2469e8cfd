"""The table of docs/wild.md: every public case, whether it is found, and by which rule.

Run: python tools/wild_table.py > table.md; the page holds the table between its two headings, and a
test holds the page against the cases.
"""

import sys
import tempfile
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from wild import CASES, MISSED, UNSEEN  # found only now
from wild.harness import Case


def found_by(bug: Case) -> tuple[str, str]:
    """The code of the rule that finds a case, and the tensor it names first."""
    with tempfile.TemporaryDirectory() as folder:
        report = bug.check(mended=False, folder=Path(folder))
    fitting = next(finding for finding in report.findings if bug.fits(finding))
    name = next(name for name in fitting.where if bug.names(name))
    return fitting.code, name


def tables() -> str:
    """Write the three tables."""
    lines = ["| case | what is wrong | rule | tensor |", "| --- | --- | --- | --- |"]
    for bug in CASES:
        if bug.id not in MISSED:
            code, name = found_by(bug)
            lines.append(f"| {bug.id} | {bug.what} | {code} | `{name}` |")
    for title, reasons in (("Written, and not reported", MISSED), ("Not to be seen", UNSEEN)):
        lines += ["", f"## {title}", "", "| case | why |", "| --- | --- |"]
        lines += [f"| {case} | {reason} |" for case, reason in reasons.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.stdout.write(tables())
