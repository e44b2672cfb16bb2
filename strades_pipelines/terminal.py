"""The output of the processes of `strades up`: all of it goes to a log file, to the terminal what wants a person."""

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
HONCHO_LINE = re.compile(r"(?P<time>\d\d:\d\d:\d\d) (?P<process>[a-z]+)(?:\.\d+)? *\| ?(?P<text>.*)")
LEVEL = re.compile(r" - (?P<level>WARNING|ERROR|CRITICAL) - (?P<message>.+)")
ENDED = re.compile(r"(?P<process>[a-z]+)\.\d+ stopped \(rc=(?P<code>-?\d+)\)")
ALERT = re.compile(r"(?P<level>ALERT) (?P<message>.+)")
# Warnings that mean nothing here: of an installation's first start, and of schedules that choose their own months.
EXPECTED = ("No cursor for event type", "has no partition set")
LOG_BYTES, OLD_LOGS = 10_000_000, 2


@dataclass
class Output:
    """The output of honcho and its processes, line by line; it remembers which process ended first."""

    console: Console
    log: Path
    ended: tuple[str, int] | None = None
    quiet: bool = False

    def follow(self, lines: Iterable[str]) -> None:
        """Write every line to the log, and to the terminal what is a warning or worse."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(self.log, maxBytes=LOG_BYTES, backupCount=OLD_LOGS)
        for line in lines:
            plain = COLOURS.sub("", line.rstrip("\n"))
            handler.emit(logging.LogRecord("strades", logging.INFO, "", 0, plain, None, None))
            self._ended(plain)
            shown = None if self.quiet else worth_showing(plain)
            if shown:
                self.console.print(Text(shown), soft_wrap=True)
        handler.close()

    def _ended(self, line: str) -> None:
        found = ENDED.search(line)
        if found and self.ended is None:
            self.ended = found["process"], int(found["code"])


def worth_showing(line: str) -> str | None:
    """A line of honcho as the terminal shows it; None for what only the log needs: information, and tracebacks."""
    found = HONCHO_LINE.fullmatch(line)
    level = found and (LEVEL.search(found["text"]) or ALERT.match(found["text"]))
    if not found or not level or any(text in line for text in EXPECTED):
        return None
    return f"{found['time']} {found['process']}: {level['level'].lower()}: {level['message']}"
