"""One transfer in a process of its own, killed at a crash point: its arguments are URL, time, wallets and amount."""

import sys
from datetime import datetime
from decimal import Decimal

from strades_pipelines.brokerage.command_log import Request, Scope
from strades_pipelines.brokerage.transfers import Transfer, transfer
from strades_pipelines.database.connection import connect


def main(url: str, now: datetime, wallet: str, to: str, amount: str) -> bool:
    with connect(url) as connection:
        moved = Transfer(wallet, Decimal(amount), "USDT", now, to)
        return transfer(connection, moved, Request("transfer", Scope("wallet", wallet), "ann", now))


if __name__ == "__main__":
    main(sys.argv[1], datetime.fromisoformat(sys.argv[2]), *sys.argv[3:])
