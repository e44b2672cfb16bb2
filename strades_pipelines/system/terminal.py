"""The output of the parts of `strades up`: all of it goes to a log file, to the terminal what wants a person."""

import logging
import re
import time
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
# And of dagster-dbt: that it shows a test of several tables as an observation.
EXPECTED = ("No cursor for event type", "has no partition set", "Logging an `AssetObservation` instead of")
LOG_BYTES, OLD_LOGS = 10_000_000, 2
HOLD_SECONDS = 2
# A library that tries again says the same each time, with another number in it.
SAID_AGAIN_SECONDS = 300
NUMBERS = re.compile(r"\d+")


@dataclass
class Output:
    """Takes lines of all parts, from any thread.

    Args:
        log: the file that gets every line.
        quiet: whether the terminal shows nothing further, as while all parts end.
    """

    console: Console
    log: Path
    quiet: bool = False
    last_lines: dict[str, str] = field(default_factory=dict)
    _held: list[tuple[float, str]] = field(default_factory=list)
    _said: dict[str, float] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _handler: RotatingFileHandler | None = None

    def write(self, part: str, line: str) -> None:
        """Write a line of a part to the log; alerts go to the terminal at once, warnings and errors with `release`."""
        plain = COLOURS.sub("", line)
        with self._lock:
            self._to_log(part, plain)
            if plain.strip():
                self.last_lines[part] = plain.strip()
            text = worth_showing(plain)
            if text and text.startswith("alert: "):
                self._show(f"{datetime.now():%H:%M:%S} {part}: {text}")
            elif text:
                self._held.append((time.monotonic(), f"{datetime.now():%H:%M:%S} {part}: {text}"))

    def release(self, *, muted: bool, now: float | None = None) -> None:
        """Show the warnings that were held for long enough; drop all while `muted`, since something was just told.

        Neighbours of a part that died complain a moment before it is seen that it died. What differs only in numbers
        from what was shown in the last minutes is for the log alone.
        """
        with self._lock:
            if muted:
                self._held.clear()
            now = time.monotonic() if now is None else now
            while self._held and now - self._held[0][0] > HOLD_SECONDS:
                text = self._held.pop(0)[1]
                like = NUMBERS.sub("", text)
                if now - self._said.get(like, -SAID_AGAIN_SECONDS) >= SAID_AGAIN_SECONDS:
                    self._said[like] = now
                    self._show(text)
            # What holds nothing back any more is forgotten: the dictionary stays small.
            self._said = {like: at for like, at in self._said.items() if now - at < SAID_AGAIN_SECONDS}

    def tell(self, part: str, text: str) -> None:
        """Write what the supervisor says of a part to the log and to the terminal."""
        with self._lock:
            self._to_log(part, text)
            self._show(f"{datetime.now():%H:%M:%S} {part}: {text}", style="yellow")

    def note(self, part: str, text: str) -> None:
        """Write what the supervisor says of a part to the log alone."""
        with self._lock:
            self._to_log(part, text)

    def _show(self, text: str, style: str = "") -> None:
        if not self.quiet:
            self.console.print(Text(text, style=style), soft_wrap=True)

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
