"""One correction of a trade's price in a process of its own, killed at a crash point: URL, time, trade, price."""

import sys
from datetime import datetime
from decimal import Decimal

from strades_pipelines.brokerage.command_log import Request, Scope
from strades_pipelines.brokerage.statements import Imported
from strades_pipelines.brokerage.trade_corrections import Changes, correct_trade
from strades_pipelines.database.connection import connect


def main(url: str, now: datetime, fill_id: str, price: str) -> Imported:
    with connect(url) as connection:
        request = Request("statement", Scope("wallet", "paper"), "ann", now, "the confirmation says otherwise")
        return correct_trade(connection, fill_id, Changes(price=Decimal(price)), request)


if __name__ == "__main__":
    main(sys.argv[1], datetime.fromisoformat(sys.argv[2]), sys.argv[3], sys.argv[4])
