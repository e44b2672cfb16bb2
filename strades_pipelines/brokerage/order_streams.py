"""What ends the wait for the next pass: what venues tell of our orders without being asked, and new decisions.

A stream loses, repeats, delays and reorders what it tells. So an event changes nothing: it ends the wait for the next
pass, whose look-up is the one way to the truth.
"""

import logging
import time
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from threading import Thread

import psycopg

from strades_pipelines.brokerage.brokers.selection import stream_for
from strades_pipelines.brokerage.brokers.venue import OrderStream
from strades_pipelines.brokerage.live import DECISIONS_CHANNEL
from strades_pipelines.database.connection import connect
from strades_pipelines.settings import SettingsError
from strades_pipelines.system.secret_values import masked

LOGGER = logging.getLogger(__name__)
GATHER_SECONDS = 0.1  # one order has several events at once
LISTEN_AGAIN_SECONDS = 5.0  # after the database was away


class OrderStreams:
    """The streams of the brokers that wallets trade at, each in a thread of its own that ends with the process."""

    def __init__(self, new_stream: Callable[[str, str], OrderStream | None] = stream_for) -> None:
        self._new_stream = new_stream
        self._streams: dict[tuple[str, str], OrderStream | None] = {}
        self._threads: dict[tuple[str, str], Thread] = {}
        self._hints: SimpleQueue[str | None] = SimpleQueue()  # None: a decision was stored

    def follow(self, accounts: Iterable[tuple[str, str]]) -> None:
        """Listen to these brokers too, each in a mode, paper or live.

        One without a stream, or without keys, is looked up by the passes alone.
        """
        for broker, mode in set(accounts) - set(self._streams):
            try:
                self._streams[broker, mode] = stream = self._new_stream(broker, mode)
            except SettingsError:
                continue  # its wallets say so; the keys may be there at the next pass
            if stream is not None:
                thread = Thread(target=self._run, args=(broker, stream), name=f"stream of {broker}", daemon=True)
                self._threads[broker, mode] = thread
                thread.start()

    def is_listening(self, broker: str, mode: str) -> bool:
        """Whether a stream tells of the orders at the broker: there is one, and it has not ended."""
        thread = self._threads.get((broker, mode))
        return thread is not None and thread.is_alive()

    def wait(self, seconds: float) -> set[str]:
        """Wait so long at most for an event; returns the client order ids that were told, "" for one that is unknown.

        A decision ends the wait at once. Without a stream, and without `follow_decisions`, this is a sleep.
        """
        try:
            # `get` refuses a negative time-out, which a pass that took too long leaves.
            hints = {self._hints.get(timeout=seconds) if seconds > 0 else self._hints.get_nowait()}
        except Empty:
            return set()
        if hints != {None}:
            time.sleep(GATHER_SECONDS)
        while not self._hints.empty():
            hints.add(self._hints.get_nowait())
        return {hint for hint in hints if hint is not None}

    def follow_decisions(self, url: str | None = None) -> None:
        """Have a decision that any process stores in the database end the wait; None is this world's."""
        Thread(target=self._listen, args=(url,), name="new decisions", daemon=True).start()

    def _listen(self, url: str | None) -> None:
        while True:
            try:
                with connect(url) as connection:
                    # LISTEN counts from its commit on.
                    connection.autocommit = True
                    connection.execute(f"LISTEN {DECISIONS_CHANNEL}")
                    for _ in connection.notifies():
                        self._hints.put(None)
            except psycopg.OperationalError:  # the passes say so, and decide and send without this
                time.sleep(LISTEN_AGAIN_SECONDS)

    def stop(self) -> None:
        """End the streams."""
        for stream in self._streams.values():
            if stream is not None:
                stream.stop()

    def _run(self, broker: str, stream: OrderStream) -> None:
        try:
            stream.run(self._hints.put)
        except Exception as error:  # orders are looked up all the same
            LOGGER.warning("%s: no order stream: %s", broker, masked(f"{type(error).__name__}: {error}"))
