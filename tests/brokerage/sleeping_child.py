"""One pass in a process of its own at a venue that is slow to take an order: URL, time, seconds, and a file of notes.

The venue notes each submit as it begins and ends, and each cancel: its own record of what reached it.
"""

import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.brokers.venue import VenueOrder
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.database.connection import connect
from strades_pipelines.market.order_terms import Order


class Sleeping:
    """The paper venue, which takes its time and keeps notes of it."""

    name = "paper"
    grace = timedelta(0)
    links_orders = True
    lacks: frozenset[str] = frozenset()

    def __init__(self, venue: PaperBroker, seconds: float, notes: Path) -> None:
        self.venue, self.seconds, self.notes = venue, seconds, notes

    def submit(self, order: Order, *, at: datetime) -> VenueOrder:
        self._note("begin")
        time.sleep(self.seconds)
        answer = self.venue.submit(order, at=at)
        self._note("end")
        return answer

    def lookup(self, order: Order, *, at: datetime) -> VenueOrder | None:
        return self.venue.lookup(order, at=at)

    def cancel(self, order: Order, *, at: datetime) -> VenueOrder | None:
        self._note("cancel")
        return self.venue.cancel(order, at=at)

    def _note(self, what: str) -> None:
        with self.notes.open("a") as file:
            file.write(f"{what} {time.time()}\n")


def main(url: str, now: datetime, seconds: float, notes: Path) -> None:
    with connect(url) as ours, connect(url) as theirs:
        venue = Sleeping(PaperBroker(theirs, load_wallet(ours, "paper")), seconds, notes)
        execute_pending(ours, venue, "paper", now=now)


if __name__ == "__main__":
    main(sys.argv[1], datetime.fromisoformat(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]))
