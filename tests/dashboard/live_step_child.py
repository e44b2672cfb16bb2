"""A step of live trading in a process of its own, killed at a crash point: URL, step and time are its arguments."""

import os
import sys
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from strades_pipelines.brokerage.brokers.selection import venue_for
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.database.connection import connect
from tests.brokerage.at_venue import AT_ALPACA
from tests.brokerage.conftest import START

LIVE = replace(AT_ALPACA, mode="live")
KEY = UUID(int=1)  # of the form, which is sent again after a kill
TERMS = """
    SELECT trading.live_terms(w), trading.strategies_of(wallet), code_hash FROM trading.wallets AS w WHERE wallet = %s
"""
NEWEST = "SELECT max(request_id) FROM trading.live_requests"


def main(url: str, step: str, now: datetime) -> None:
    with connect(url) as connection:
        if step == "open":
            open_wallet(connection, LIVE, now=START)
        elif step == "send":
            execute_pending(connection, venue_for(load_wallet(connection, LIVE.name), connection), LIVE.name, now=now)
        else:
            [terms] = connection.execute(TERMS, [LIVE.name]).fetchall()
            [(newest,)] = connection.execute(NEWEST).fetchall()
            connection.commit()
            act(url, step, terms, newest)


def act(url: str, step: str, terms: tuple[Any, ...], request: int) -> None:
    """What the pages do: ada asks, bob approves, carla revokes."""
    os.environ |= {"STRADES_DASHBOARD_DATABASE": url, "DJANGO_SETTINGS_MODULE": "dashboard.settings"}
    import django

    django.setup()
    from dashboard.gateway import live_trading

    if step == "request":
        assert live_trading.request_live(LIVE.name, *terms, reason="x", by="dashboard:ada", key=KEY)
    elif step == "approve":
        assert live_trading.approve_live(request, by="dashboard:bob") is None
    else:
        assert live_trading.revoke_live(request, by="dashboard:carla")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], datetime.fromisoformat(sys.argv[3]))
