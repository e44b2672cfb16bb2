"""Named points at which a test may kill the process: crashes are proven, not imagined."""

import os
import signal

from strades_pipelines.settings import settings


def crash_point(name: str) -> None:
    """Kill this process's whole group with SIGKILL when `STRADES_CRASH_AT` names this point; else nothing."""
    if settings().crash_at == name:
        os.killpg(0, signal.SIGKILL)
