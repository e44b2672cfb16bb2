"""One daemon for a database of Dagster: it holds an advisory lock, and a second one is refused.

Dagster itself logs an error once two write heartbeats in turn, and lets both launch runs.
"""

import sys
import time
from contextlib import ExitStack
from threading import Lock

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

CLAIM = text("SELECT pg_try_advisory_lock(hashtext('strades.dagster_daemon'))")
# A daemon that was ended a moment ago may still have its connection, and with it the lock.
PATIENCE_SECONDS = 5.0
ANSWER_SECONDS = 60.0  # a server that is started again is back by then
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
            SQLAlchemyError: the database has not answered for `ANSWER_SECONDS`.
        """
        with self._mutex:
            if self._was_refused:
                return False
            if self._still_holds():
                return True
            self._connection = self._claim_once_answered()
            if self._connection is None:
                self._was_refused = True
                print(REFUSED, file=sys.stderr, flush=True)
            return self._connection is not None

    def release(self) -> None:
        """Give the lock back, where this process has it."""
        with self._mutex:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _claim_once_answered(self) -> Connection | None:
        end = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                return self._claim()
            except SQLAlchemyError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.2)

    def _claim(self) -> Connection | None:
        """The connection that took the lock; None where somebody else has it for as long as we wait."""
        end = time.monotonic() + PATIENCE_SECONDS
        with ExitStack() as to_close:
            connection = to_close.enter_context(self._engine.connect())
            while not connection.execute(CLAIM).scalar():
                if time.monotonic() > end:
                    return None
                time.sleep(0.2)
            # Every other way out closes the connection; with this one the lock would be gone.
            to_close.pop_all()
            return connection

    def _still_holds(self) -> bool:
        """Whether the connection is there that took the lock: the server may have been started again since."""
        if self._connection is None:
            return False
        try:
            self._connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            self._connection.close()
            self._connection = None
            return False
        return True
