"""Studies on the disk, written chunk by chunk while they are trained, and never half written."""

from fanin.studies.store.reading import open_study as open_study
from fanin.studies.store.reading import repair as repair
