"""Data to train on: any source becomes a checked table, and all tables are prepared alike."""

from fanin.studies.data.loading import load as load
from fanin.studies.data.value import KINDS as KINDS
from fanin.studies.data.value import Data as Data
from fanin.studies.data.value import Kind as Kind
from fanin.studies.data.value import Part as Part
