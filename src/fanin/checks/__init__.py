"""What is wrong with a start: the rules, what they look at, and what they find."""

from fanin.checks.catalogue import find_rule as find_rule
from fanin.checks.catalogue import rules as rules
from fanin.checks.cause import scale_cause as scale_cause
from fanin.checks.evidence import Answer as Answer
from fanin.checks.evidence import Cost as Cost
from fanin.checks.evidence import Evidence as Evidence
from fanin.checks.evidence import Layer as Layer
from fanin.checks.evidence import Probe as Probe
from fanin.checks.evidence import Rebuild as Rebuild
from fanin.checks.evidence import Unlike as Unlike
from fanin.checks.examination import examine as examine
from fanin.checks.finding import Finding as Finding
from fanin.checks.finding import Fix as Fix
from fanin.checks.finding import Severity as Severity
from fanin.checks.modules import GateBias as GateBias
from fanin.checks.modules import Padding as Padding
from fanin.checks.modules import Unregistered as Unregistered
from fanin.checks.report import Report as Report
from fanin.checks.rule import Rule as Rule
from fanin.checks.settings import Settings as Settings
from fanin.checks.settings import read_settings as read_settings
from fanin.checks.values import Equal as Equal
from fanin.checks.values import Gradient as Gradient
from fanin.checks.values import Values as Values
