"""Send the supervisor's alerts one after the other in a thread: a slow mail server holds up no restart."""

import logging
from collections.abc import Callable
from queue import Queue
from threading import Thread

from strades_pipelines.system.alerting import logger, send_alert


class AlertQueue:
    """Alerts that are to be sent; `close` waits for those that are on their way.

    Args:
        log: takes what the alerts' logger says, in place of the terminal, which has its own line for each incident.
    """

    def __init__(self, log: Callable[[str], None]) -> None:
        handler = logging.Handler()
        handler.emit = lambda record: log(record.getMessage())  # type: ignore[method-assign]
        logger.addHandler(handler)
        logger.propagate = False
        self._queue: Queue[tuple[str, str] | None] = Queue()
        self._thread = Thread(target=self._send, name="alerts", daemon=True)
        self._thread.start()

    def put(self, subject: str, message: str) -> None:
        """Send an alert soon."""
        self._queue.put((subject, message))

    def close(self, seconds: float) -> None:
        """Send no further alert; wait at most `seconds` for those that are left."""
        self._queue.put(None)
        self._thread.join(seconds)

    def _send(self) -> None:
        while (alert := self._queue.get()) is not None:
            send_alert(*alert)
