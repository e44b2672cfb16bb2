"""The error log of NGINX as `strades up` keeps it: no visitor can fill it, and wipe what other parts said."""

import re
import time
from collections.abc import Callable

SECONDS_BETWEEN = 60
# Before it stands what went wrong; behind it, what the request said.
CLIENT, NUMBERS = ", client: ", re.compile(r"\d+")


class RepeatedErrors:
    """Passes one line of a kind a minute. Two lines are of one kind where what went wrong differs in numbers alone.

    Args:
        write: takes the name of the part and a line.
        clock: monotonic, in seconds.
    """

    def __init__(self, write: Callable[[str, str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock = write, clock
        self._last: dict[str, float] = {}  # kind -> when a line of it was written

    def __call__(self, part: str, line: str) -> None:
        """Write a line, or leave it out. What is about no request is always written."""
        wrong, is_about_request, _ = line.partition(CLIENT)
        if is_about_request:
            kind, now = NUMBERS.sub("", wrong), self._clock()
            if now - self._last.get(kind, -SECONDS_BETWEEN) < SECONDS_BETWEEN:
                return
            self._last[kind] = now
        self._write(part, line)
