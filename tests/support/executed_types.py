"""The checker that executes the package's annotations: beartype, with an int where a float may be.

PEP 484 counts an int as a float, and so does pyright; beartype does when asked.
"""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
