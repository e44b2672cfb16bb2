"""The output of the parts of `strades up`: all of it goes to a log file, to the terminal what wants a person."""

import logging
import re
from dataclasses import dataclass, field
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from threading import Lock

from rich.console import Console
from rich.text import Text

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
LEVEL = re.compile(r" - (?P<level>WARNING|ERROR|CRITICAL) - (?P<message>.+)")
ALERT = re.compile(r"(?P<level>ALERT) (?P<message>.+)")
# Warnings that mean nothing here: of an installation's first start, and of schedules that choose their own months.
EXPECTED = ("No cursor for event type", "has no partition set")
LOG_BYTES, OLD_LOGS = 10_000_000, 2


@dataclass
class Output:
    """Takes lines of all parts, from any thread.

    Args:
        log: the file that gets every line.
        quiet: whether the terminal shows nothing further, as while all parts end.
        muted: whether the terminal shows alerts alone: a part is being started, and what others say of that was told.
    """

    console: Console
    log: Path
    quiet: bool = False
    muted: bool = True
    last_lines: dict[str, str] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _handler: RotatingFileHandler | None = None

    def write(self, part: str, line: str) -> None:
        """Write a line of a part to the log, and to the terminal if it is a warning or worse."""
        plain = COLOURS.sub("", line)
        with self._lock:
            self._to_log(part, plain)
            if plain.strip():
                self.last_lines[part] = plain.strip()
            text = worth_showing(plain)
            if text and not self.quiet and (text.startswith("alert: ") or not self.muted):
                self.console.print(Text(f"{datetime.now():%H:%M:%S} {part}: {text}"), soft_wrap=True)

    def tell(self, part: str, text: str) -> None:
        """Write what the supervisor says of a part to the log and to the terminal."""
        with self._lock:
            self._to_log(part, text)
            if not self.quiet:
                self.console.print(Text(f"{datetime.now():%H:%M:%S} {part}: {text}", style="yellow"), soft_wrap=True)

    def note(self, part: str, text: str) -> None:
        """Write what the supervisor says of a part to the log alone."""
        with self._lock:
            self._to_log(part, text)

    def _to_log(self, part: str, text: str) -> None:
        if self._handler is None:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            self._handler = RotatingFileHandler(self.log, maxBytes=LOG_BYTES, backupCount=OLD_LOGS)
        line = f"{datetime.now():%H:%M:%S} {part:9} | {text}"
        self._handler.emit(logging.LogRecord("strades", logging.INFO, "", 0, line, None, None))


def worth_showing(line: str) -> str | None:
    """A line of a part as the terminal shows it; None for what only the log needs: information, and tracebacks."""
    found = LEVEL.search(line) or ALERT.match(line)
    if not found or any(text in line for text in EXPECTED):
        return None
    return f"{found['level'].lower()}: {found['message']}"
