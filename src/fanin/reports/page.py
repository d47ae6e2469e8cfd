"""A document as one HTML file that needs nothing else: no network, no font, no second file.

The charts are in it twice, as drawings that need no script and as specifications that the inlined
Vega turns into live ones. A content security policy forbids the page every request, so a report can
be mailed, archived and opened anywhere, and what it shows is what it holds.
"""

import html
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from fanin.errors import need
from fanin.reports.document import Document, Entry, Table

STILL = 250_000
"""Characters of still drawings a page may hold: they are for readers without script, and a study of
many schemes would outgrow the mail it is sent in."""

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; "
    # Vega compiles its expressions; without 'unsafe-eval' no chart would come alive.
    "script-src 'unsafe-inline' 'unsafe-eval'; img-src data: blob:"
)

_INK = """
.fanin { color: inherit; line-height: 1.5; }
.fanin h2 { font-size: 1.05em; font-weight: 600; margin: 2em 0 .6em; }
.fanin .fanin-asked { opacity: .7; margin: 0; }
.fanin .fanin-verdict { font-size: 1.5em; line-height: 1.3; font-weight: 600; margin: .3em 0 .7em;
  text-wrap: pretty; max-width: 46em; }
.fanin ul.fanin-said { margin: 0; padding-left: 1.2em; max-width: 60em; }
.fanin .fanin-entry { border-left: .25em solid; padding: .1em 0 .1em 1em; margin: 1.4em 0; }
.fanin .fanin-entry h2 { margin: 0 0 .3em; }
.fanin .fanin-entry h2 span { font-weight: normal; }
.fanin .fanin-entry dl { display: grid; grid-template-columns: max-content 1fr; gap: .2em 1.2em;
  margin: 0; font-size: .92em; }
.fanin .fanin-entry dt { opacity: .7; }
.fanin .fanin-entry dd { margin: 0; overflow-wrap: anywhere; }
.fanin .fanin-names { margin: 0 0 .4em; overflow-wrap: anywhere; font-size: .92em; }
.fanin .fanin-error { border-color: #c0392b; }
.fanin .fanin-warning { border-color: #c58a00; }
.fanin .fanin-info { border-color: #7f8c8d; }
.fanin .fanin-wide { overflow-x: auto; }
.fanin table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .85em; }
.fanin th, .fanin td { text-align: left; padding: .35em 1em .35em 0; white-space: nowrap;
  border-bottom: 1px solid rgba(128, 128, 128, .3); background: none; }
.fanin th { font-weight: 600; }
.fanin thead th { opacity: .7; font-weight: normal; }
.fanin .fanin-note { opacity: .7; font-size: .85em; margin: .4em 0 0; max-width: 70em; }
.fanin svg { max-width: 100%; height: auto; }
.fanin svg.marks { min-width: 48rem; }
.fanin svg text { fill: currentColor; }
.fanin svg .role-axis-grid line { stroke: currentColor; }
"""

_PAGE = """
:root { color-scheme: light dark; }
body { margin: 0 auto; padding: 2.5rem 1.5rem 4rem; max-width: 70rem; background: #fff;
  color: #1c1c1c; font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
@media (prefers-color-scheme: dark) { body { background: #16181b; color: #e6e6e6; } }
a, button { color: inherit; }
.fanin details { margin-top: 1.5em; }
.fanin summary { cursor: pointer; }
.fanin dl { display: grid; grid-template-columns: max-content 1fr; gap: .3em 1.5em; margin: 0; }
.fanin dt { opacity: .7; }
.fanin dd { margin: 0; overflow-wrap: anywhere; }
.fanin button { font: inherit; font-size: .9em; padding: .3em .9em; border-radius: .4em;
  border: 1px solid currentColor; background: none; cursor: pointer; margin-top: 1.5em; }
.fanin .vega-embed { display: block; }
.fanin .vega-embed summary { opacity: .3; }
@media print { .fanin button, .fanin .vega-embed summary { display: none; } }
"""

_SCRIPT = """
for (const place of document.querySelectorAll("[data-chart]")) {
  const spec = JSON.parse(document.getElementById(place.dataset.chart).textContent);
  const still = place.innerHTML;
  const actions = {export: true, source: false, compiled: false, editor: false};
  vegaEmbed(place, spec, {mode: "vega-lite", renderer: "svg", actions: actions,
    downloadFileName: place.dataset.chart}).catch(() => { place.innerHTML = still; });
}
const data = document.getElementById("fanin-data").textContent;
const save = document.getElementById("fanin-save");
save.hidden = false;
save.addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([data], {type: "application/json"}));
  link.download = save.dataset.name;
  link.click();
});
"""


def page(
    document: Document,
    charts: Mapping[str, Mapping[str, Any]],
    details: Sequence[Table],
    facts: Mapping[str, str],
    data: str,
    entries: Sequence[Entry] = (),
    name: str = "study.json",
) -> str:
    """Write the whole page.

    Args:
        document: Title, verdict, tables and notes.
        charts: Vega-Lite specifications, data included, by heading.
        details: Further tables, shown folded.
        facts: How it was made, by name.
        data: The data behind the page, as JSON.
        entries: What was found, shown before the charts.
        name: What the data are called when the reader saves them.

    Returns:
        The text of an HTML file.

    Raises:
        MissingExtra: vl-convert is not installed.
    """
    specs = {f"chart-{place}": spec for place, spec in enumerate(charts.values(), start=1)}
    stills = {name: drawing(spec, name) for name, spec in specs.items()}
    if sum(map(len, stills.values())) > STILL:
        stills = dict.fromkeys(stills, "<noscript>This chart needs JavaScript.</noscript>")
    figures = [
        f'<h2>{_escape(heading)}</h2>\n<div class="fanin-wide" data-chart="{name}" role="img" '
        f'aria-label="{_escape(heading)}; its figures are in the table below">'
        f"{stills[name]}</div>"
        for heading, name in zip(charts, specs, strict=True)
    ]
    folded = [
        f"<details><summary>{_escape(table.title)}</summary>{_table(table)}</details>"
        for table in details
    ]
    made = "".join(f"<dt>{_escape(k)}</dt><dd>{_escape(v)}</dd>" for k, v in facts.items())
    stores = "".join(_stored(name, json.dumps(spec)) for name, spec in specs.items())
    title = _escape(document.title)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{title}</title>
<style>{_PAGE}{_INK}</style>
</head>
<body>
<main class="fanin">
{_verdict(document)}
{"".join(map(_entry, entries))}
{"".join(figures)}
{"".join(f"<h2>{_escape(table.title)}</h2>{_table(table)}" for table in document.tables)}
{"".join(folded)}
<h2>How this was made</h2>
<dl>{made}</dl>
{_notes(document.notes)}
<button id="fanin-save" data-name="{_escape(name)}" type="button" hidden>Save the data</button>
</main>
{stores}{_stored("fanin-data", data)}
<script>{_engine()}</script>
<script>{_SCRIPT}</script>
</body>
</html>
"""


def fragment(
    document: Document, charts: Sequence[Mapping[str, Any]], entries: Sequence[Entry] = ()
) -> str:
    """Write a document for the output of a notebook cell: no script, the notebook's own colours.

    Args:
        document: Title, verdict, tables and notes.
        charts: Vega-Lite specifications, data included.
        entries: What was found.

    Returns:
        An HTML fragment.
    """
    drawn = "".join(
        f'<div class="fanin-wide">{drawing(spec, f"fragment-{place}")}</div>'
        for place, spec in enumerate(charts)
    )
    tables = "".join(_table(table) for table in document.tables)
    return (
        f'<div class="fanin"><style>{_INK}</style>{_verdict(document)}'
        f"{''.join(map(_entry, entries))}{drawn}{tables}"
        f"{_notes(document.notes)}</div>"
    )


def drawing(spec: Mapping[str, Any], name: str) -> str:
    """Draw a chart as SVG text.

    Args:
        spec: A Vega-Lite specification, data included.
        name: Unlike any other on the page; it keeps the clip paths of two drawings apart.

    Returns:
        An ``<svg>`` element.

    Raises:
        MissingExtra: vl-convert is not installed.
    """
    need("vl_convert", extra="report", purpose="a chart in HTML")
    import vl_convert

    svg = vl_convert.vegalite_to_svg(dict(spec))
    # Vega numbers its clip paths on from the drawing before; the same chart is to be the same text.
    clips = dict.fromkeys(re.findall(r'id="(clip\d+)"', svg))
    numbers = {clip: f"{name}-clip{place}" for place, clip in enumerate(clips)}
    return re.sub(r"\bclip\d+\b", lambda found: numbers[found[0]], svg)


@cache
def _engine() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script."""
    import vl_convert

    return vl_convert.javascript_bundle().replace("</script", "<\\/script")


def _verdict(document: Document) -> str:
    first, *rest = document.verdict
    said = "".join(f"<li>{_escape(sentence)}</li>" for sentence in rest)
    return (
        f'<p class="fanin-asked">{_escape(document.title)}</p>\n'
        f'<p class="fanin-verdict" role="heading" aria-level="1">{_escape(first)}</p>\n'
        + (f'<ul class="fanin-said">{said}</ul>' if said else "")
    )


def _entry(entry: Entry) -> str:
    names = "".join(f"<code>{_escape(name)}</code> " for name in entry.names)
    said = "".join(f"<dt>{_escape(k)}</dt><dd>{_escape(v)}</dd>" for k, v in entry.said)
    return (
        f'<section class="fanin-entry fanin-{_escape(entry.mark)}"><h2><span>'
        f"{_escape(entry.mark)}</span> {_escape(entry.title)}</h2>"
        f'<p class="fanin-names">{names}</p><dl>{said}</dl></section>'
    )


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{_escape(name)}</th>' for name in table.columns)
    rows = "".join(
        f'<tr><th scope="row">{_escape(row[0])}</th>'
        + "".join(f"<td>{_escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in table.rows
    )
    return (
        f'<div class="fanin-wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody>'
        f"</table></div>{_notes(table.notes)}"
    )


def _notes(notes: Sequence[str]) -> str:
    return "".join(f'<p class="fanin-note">{_escape(note)}</p>' for note in notes)


def _stored(name: str, text: str) -> str:
    """A script element ends at the first ``</``, whatever the JSON around it means by it."""
    inert = text.replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{inert}</script>\n'


def _escape(text: str) -> str:
    return html.escape(text, quote=True)
