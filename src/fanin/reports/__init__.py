"""How results are shown: on a terminal, in a pipe, in a notebook, as a page, as pictures.

The room knows nothing of studies. A room above hands over what to say as a `Document` of plain
text, or the data of a picture, and every way of showing it says the same words. What needs Altair
or vl-convert is in `fanin.reports.charts` and `fanin.reports.page`, loaded when asked for.
"""

from fanin.reports.document import Document as Document
from fanin.reports.document import Entry as Entry
from fanin.reports.document import Table as Table
from fanin.reports.progress import Progress as Progress
from fanin.reports.terminal import plain as plain
from fanin.reports.terminal import show as show
from fanin.reports.terminal import write as write
