"""A start as a small text, and two starts compared."""

from fanin.checks.starts.delta import Change as Change
from fanin.checks.starts.delta import Delta as Delta
from fanin.checks.starts.delta import compared as compared
from fanin.checks.starts.lockfile import read_lock as read_lock
from fanin.checks.starts.lockfile import written_lock as written_lock
from fanin.checks.starts.start import Figures as Figures
from fanin.checks.starts.start import Start as Start
