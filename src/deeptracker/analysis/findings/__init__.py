"""What is to be found in a run, by plain rules? (paper, 4 and 8: what experts look for)"""

from deeptracker.analysis.findings.finding import SEVERITIES, Finding, Place, Severity, in_order
from deeptracker.analysis.findings.kinds import KINDS, Kind

__all__ = ["KINDS", "SEVERITIES", "Finding", "Kind", "Place", "Severity", "in_order"]
