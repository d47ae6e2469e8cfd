"""A report for programs and browsers: one file for each form, and their names."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from fanin.checks.formats.data import SCHEMA as SCHEMA
from fanin.checks.formats.data import as_json as as_json
from fanin.checks.formats.github import as_github as as_github
from fanin.checks.formats.junit import as_junit as as_junit
from fanin.checks.formats.page import as_html as as_html
from fanin.checks.formats.page import fragment as fragment
from fanin.checks.formats.sarif import as_sarif as as_sarif

if TYPE_CHECKING:
    from fanin.checks.report import Report

FORMS: dict[str, Callable[["Report"], str]] = {
    "json": as_json,
    "junit": as_junit,
    "sarif": as_sarif,
    "github": as_github,
    "html": as_html,
}
"""Name of each form to what writes it."""
