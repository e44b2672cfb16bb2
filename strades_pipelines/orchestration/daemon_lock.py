"""One daemon for a database of Dagster: it holds an advisory lock, and a second one is refused.

Dagster itself logs an error once two write heartbeats in turn, and lets both launch runs.
"""

import sys
import time
from threading import Lock

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

CLAIM = text("SELECT pg_try_advisory_lock(hashtext('strades.dagster_daemon'))")
# A daemon that was ended a moment ago may still have its connection, and with it the lock.
PATIENCE_SECONDS = 5.0
REFUSED = (
    "strades: another daemon of Dagster works with this database, and only one may: end that one first; this one ends"
)


class DaemonLock:
    """The lock of a database's one daemon, for all threads of a process; the end of the process gives it back.

    Args:
        engine: makes connections that are not pooled, in autocommit.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine, self._mutex = engine, Lock()
        self._connection: Connection | None = None
        self._was_refused = False

    def is_held(self) -> bool:
        """Whether this process has the lock now; taken where nobody has it. A refusal is told once, and stays one.

        Raises:
            DBAPIError: the database does not answer.
        """
        with self._mutex:
            if self._was_refused:
                return False
            if self._still_holds():
                return True
            self._connection = self._engine.connect()
            end = time.monotonic() + PATIENCE_SECONDS
            while not self._connection.execute(CLAIM).scalar():
                if time.monotonic() > end:
                    self._connection.close()
                    self._connection = None
                    self._was_refused = True
                    print(REFUSED, file=sys.stderr, flush=True)
                    return False
                time.sleep(0.2)
            return True

    def release(self) -> None:
        """Give the lock back, where this process has it."""
        with self._mutex:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _still_holds(self) -> bool:
        """Whether the connection is there that took the lock: the server may have been started again since."""
        if self._connection is None:
            return False
        try:
            self._connection.execute(text("SELECT 1"))
        except DBAPIError:
            self._connection.close()
            self._connection = None
            return False
        return True
