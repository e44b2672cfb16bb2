"""One pass of the live edge in a process of its own, which a crash point may kill: URL and time are its arguments."""

import sys
from datetime import datetime

from strades_pipelines.brokerage.brokers.venue import venue_for
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.database.connection import adbc_connect, connect


def main(url: str, now: datetime) -> None:
    with connect(url) as ours, connect(url) as theirs, adbc_connect(url) as adbc:
        decide(ours, adbc, "paper", now=now)
        execute_pending(ours, venue_for(load_wallet(ours, "paper"), theirs), "paper", now=now)


if __name__ == "__main__":
    main(sys.argv[1], datetime.fromisoformat(sys.argv[2]))
