"""What the dashboard's log leaves out: keys that stand in addresses, and lines by which another site would fill it."""

import logging
import re
import time

SECONDS_BETWEEN = 60
# An address of these is the key itself: of a calendar feed, of an invitation, to an organization too, of a mail's link.
KEY_IN_ADDRESS = re.compile(r"(/(?:calendar|invitation|organizations/join|digest/confirm|digest/stop)/)[^/\s'\"]+")


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


class WithoutKeys(logging.Filter):
    """Mask the keys in addresses, in whatever Django says of a request that failed; the line stays."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Pass the line, masked."""
        # Keys stand in the arguments: the line is put together before it is masked.
        record.msg, record.args = _masked(record.getMessage()), ()
        # Written out here, where it can be masked: a handler takes a text that is there already.
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        record.exc_text = _masked(record.exc_text) if record.exc_text else None
        return True


def _masked(text: str) -> str:
    return KEY_IN_ADDRESS.sub(r"\1***", text)
