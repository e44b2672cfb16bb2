"""One pass of a wallet in a process of its own, killed at a crash point: URL, time and wallet are its arguments."""

import sys
from datetime import datetime

from strades_pipelines.brokerage.brokers.selection import venue_for
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.database.connection import adbc_connect, connect


def main(url: str, now: datetime, wallet: str = "paper") -> None:
    with connect(url) as ours, connect(url) as theirs, adbc_connect(url) as adbc:
        if wallet == "paper":
            decide(ours, adbc, wallet, now=now)
        execute_pending(ours, venue_for(load_wallet(ours, wallet), theirs), wallet, now=now)


if __name__ == "__main__":
    main(sys.argv[1], datetime.fromisoformat(sys.argv[2]), sys.argv[3])
