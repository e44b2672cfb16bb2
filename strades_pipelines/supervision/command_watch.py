"""While `strades up` serves, carry out what pages ask for: neither Dagster nor `strades trade` has to run."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Event, Thread
from typing import Any

import psycopg

from strades_pipelines.brokerage.pending_commands import carry_out_pending
from strades_pipelines.database.connection import WORLD_DATABASES, connect, running_url
from strades_pipelines.settings import settings

CarryOut = Callable[["psycopg.Connection[Any]"], dict[int, str]]
SECONDS = 1.0  # from one look to the next; a halt that waits is in force meanwhile
SECONDS_AWAY = 5.0  # after a look that failed: the database may be starting


class CommandWatch:
    """Looks for commands that wait, in a thread with a connection of its own.

    Args:
        tell: called with "commands" and a line for each command that was carried out.
        note: called so for each new fault; at every start there is one, until the database answers.
        carry_out: does what waits, and returns what became of each; the halts and resumes by default.
        what: what each of them is called.
    """

    def __init__(
        self,
        tell: Callable[[str, str], None],
        note: Callable[[str, str], None],
        carry_out: CarryOut | None = None,
        what: str = "command",
    ) -> None:
        self._tell, self._note, self._what = tell, note, what
        self._carry_out = carry_out or _carry_out_commands
        self._fault = ""
        self._closed = Event()
        self._thread = Thread(target=self._watch, name=f"{what}-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it; a command that is being carried out is left to whoever looks next."""
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.wait(SECONDS):
            try:
                self._look_until_closed()
            except Exception as error:  # the database is away, or its schema still being made: look again later
                self._note_fault(error)
                self._closed.wait(SECONDS_AWAY)

    def _look_until_closed(self) -> None:
        # The embedded server may have moved to another port since the last connection.
        with connect(running_url(WORLD_DATABASES[settings().world])) as connection:
            while not self._closed.is_set():
                for id_, outcome in self._carry_out(connection).items():
                    self._tell("commands", f"{self._what} {id_} {outcome}")
                self._fault = ""
                self._closed.wait(SECONDS)

    def _note_fault(self, error: Exception) -> None:
        fault = (str(error) or repr(error)).splitlines()[0]
        if fault != self._fault:
            self._note("commands", f"no {self._what} is carried out that pages ask for: {fault}")
        self._fault = fault


def _carry_out_commands(connection: "psycopg.Connection[Any]") -> dict[int, str]:
    def connect_venue() -> "AbstractContextManager[psycopg.Connection[Any]]":
        return connect(running_url(WORLD_DATABASES[settings().world]))

    return carry_out_pending(connection, clock=settings().now, connect_venue=connect_venue)
