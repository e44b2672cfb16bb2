"""What a stream tells people, and its work in the database, which is tried again while the database is away."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import psycopg
from adbc_driver_manager import Error as AdbcError

from strades_pipelines.ingestion.streams.writer import StreamBusy
from strades_pipelines.ingestion.verdicts import one_line

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds after a failure, doubled while it lasts
DATABASE_ERRORS = (psycopg.OperationalError, AdbcError)
Result = TypeVar("Result")


class StreamLog:
    """Tells each fault of a stream once, until another one of its kind takes its place or it is over.

    Args:
        source: the name that each line begins with.
        faults: by kind, the line of each fault that is not over; it is kept up to date.
        say: takes a line for people.
    """

    def __init__(self, source: str, faults: dict[str, str], say: Callable[[str], None]) -> None:
        self._source, self._faults, self._say = source, faults, say

    def say(self, line: str) -> None:
        """Tell a line that is no fault."""
        self._say(f"{self._source}: {line}")

    def note_fault(self, kind: str, line: str) -> None:
        """Keep a fault, and tell it where it is another than the one before of its kind."""
        if self._faults.get(kind) != line:
            self.say(line)
        self._faults[kind] = line

    def end_fault(self, kind: str) -> None:
        """Forget a fault: the same one would be told again."""
        self._faults.pop(kind, None)

    def fault(self, kind: str) -> str | None:
        """The fault of a kind that is not over; None where there is none."""
        return self._faults.get(kind)

    async def retry(self, kind: str, work: Callable[[], Result]) -> Result:
        """Do work of the database in a thread, again and again while it is away; what was read waits meanwhile."""
        wait = FIRST_WAIT
        while True:
            try:
                done = await asyncio.to_thread(work)
            except (StreamBusy, *DATABASE_ERRORS) as error:
                why = "" if isinstance(error, StreamBusy) else "the database does not take it, nothing more is read: "
                self.note_fault(kind, f"{why}{one_line(str(error))}")
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT)
            else:
                self.end_fault(kind)
                return done
