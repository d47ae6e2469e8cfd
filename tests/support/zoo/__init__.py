"""Healthy models of all kinds, for whatever must be silent about them."""

from zoo.adapted import ADAPTED
from zoo.agents import AGENTS
from zoo.attention import ATTENTION
from zoo.case import Case as Case
from zoo.conv import CONV
from zoo.dense import DENSE
from zoo.generative import GENERATIVE
from zoo.recurrent import RECURRENT
from zoo.residual import RESIDUAL
from zoo.tables import TABLES
from zoo.vision import VISION
from zoo.ways import WAYS

CASES: tuple[Case, ...] = tuple(
    case
    for cage in (
        DENSE, CONV, RECURRENT, ATTENTION, VISION, RESIDUAL, ADAPTED, TABLES, GENERATIVE, AGENTS,
        WAYS,
    )
    for case in cage
)  # fmt: skip
"""All but those of Hugging Face."""
