"""How much memory has this process held? Needs nothing but the standard library, so that tests may ask too."""

from __future__ import annotations

import resource
from pathlib import Path


def peak_bytes() -> int:
    """The largest memory of this process so far."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count the memory of the process that this one was forked from
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
