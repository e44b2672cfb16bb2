"""What the dashboard's log leaves out: a page of another site must not be able to fill it."""

import logging
import time

SECONDS_BETWEEN = 60


class OnceAMinute(logging.Filter):
    """Pass one warning of a kind a minute, of all that a request can cause; errors always pass."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, str], float] = {}  # logger and text without its arguments -> monotonic time

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        if record.levelno >= logging.ERROR:
            return True
        kind, now = (record.name, str(record.msg)), time.monotonic()
        if now - self._last.get(kind, -SECONDS_BETWEEN) < SECONDS_BETWEEN:
            return False
        self._last[kind] = now
        return True
