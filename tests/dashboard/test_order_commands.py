"""Cancel and flatten from a page: one row each, the outcome on its page, and no button where there is nothing to do."""

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest

from strades_pipelines.brokerage.halts import current_state
from strades_pipelines.brokerage.pending_commands import carry_out_pending
from strades_pipelines.database.connection import connect
from tests.brokerage.conftest import MINUTE, AddCandles, rows
from tests.brokerage.test_execution import FILLED
from tests.brokerage.test_limits import Hand, desk
from tests.brokerage.test_venue_commands import EXITS, held, open_order
from tests.dashboard.conftest import ClientOf

if TYPE_CHECKING:
    from django.test import Client

__all__ = ["desk", "held"]
Connection = psycopg.Connection[Any]
KEPT = """
    SELECT kind, name, requested_by, arguments ->> 'intent_id', outcome FROM trading.commands
    WHERE request_key IS NOT NULL
"""


@pytest.fixture
def trader(held: Hand, add_candles: AddCandles, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> "Client":
    """A browser of a trader, a minute after the wallet's last fill."""
    monkeypatch.setenv("STRADES_SANDBOX_NOW", (FILLED + MINUTE).isoformat())
    return client_of("trader", "ada")


def carry_out(connection: Connection, url: str) -> None:
    carry_out_pending(connection, clock=lambda: FILLED + MINUTE, connect_venue=lambda: connect(url))


def test_an_order_is_cancelled_once_and_its_page_says_so(trader: "Client", market: Connection, site: str) -> None:
    order = open_order(market)
    path = f"/orders/{order}/cancel/"
    assert f'href="{path}"' in trader.get("/wallets/paper/").content.decode()
    assert "sell" in trader.get(path).content.decode()
    form = {"key": str(uuid4()), "reason": "too <b>far</b>"}
    answers = [trader.post(path, form) for _ in range(2)]
    assert {answer["Location"] for answer in answers} == {f"/commands/{form['key']}/"}
    assert rows(market, KEPT) == [("cancel", "paper", "dashboard:ada", order, None)]
    assert "The order works until" in trader.get(answers[0]["Location"]).content.decode()
    carry_out(market, site)
    done = trader.get(answers[0]["Location"]).content.decode()
    assert "✓ done</span>: cancelled" in done
    assert "too &lt;b&gt;far" in done
    assert f'href="{path}"' not in trader.get("/wallets/paper/").content.decode()
    assert "There is nothing to cancel" in trader.get(path).content.decode()
    assert trader.post(path, form | {"reason": " "}).status_code == 400
    assert trader.get("/orders/NOPE/cancel/").status_code == 404
    assert "Cancel an order: " in trader.get("/commands/").content.decode()


def test_a_wallet_is_flattened_from_its_page(trader: "Client", market: Connection, site: str) -> None:
    assert 'href="/flatten/?scope=wallet:paper"' in trader.get("/wallets/paper/").content.decode()
    form = {"key": str(uuid4()), "scope": "wallet:paper", "reason": "news"}
    path = trader.post("/flatten/", form)["Location"]
    assert current_state(market, "paper") == "halted"
    assert "Halted already" in trader.get(path).content.decode()
    carry_out(market, site)
    assert "✓ done</span>: flattened" in trader.get(path).content.decode()
    assert [row[0] for row in rows(market, EXITS)] == ["sell"]
    for wrong in ("all", "strategy:buy_and_hold", "wallet:nobody"):
        assert trader.post("/flatten/", form | {"scope": wrong}).status_code == 400


def test_an_order_in_doubt_offers_nothing(trader: "Client", market: Connection) -> None:
    order = open_order(market)
    market.execute(
        "INSERT INTO trading.order_events (intent_id, state, reason, recorded_at) VALUES (%s, 'unknown', 'x', %s)",
        [order, FILLED],
    )
    market.commit()
    assert f"/orders/{order}/cancel/" not in trader.get("/wallets/paper/").content.decode()
    page = trader.get(f"/orders/{order}/cancel/").content.decode()
    assert "In doubt: each pass asks the venue" in page
    assert "<textarea" not in page
    assert 'name="reason"' not in page


def test_only_a_trader_with_a_second_factor_touches_orders(held: Hand, market: Connection, client_of: ClientOf) -> None:
    path = f"/orders/{open_order(market)}/cancel/"
    for role in ("viewer", "analyst", "admin"):
        client = client_of(role)
        assert [client.post(address).status_code for address in (path, "/flatten/")] == [403, 403]
        page = client.get("/wallets/paper/").content.decode()
        assert "/cancel/" not in page
        assert "/flatten/" not in page
    answer = client_of("trader", second_factor=False).post("/flatten/")
    assert answer["Location"] == "/account/second-factor/app/"
    assert rows(market, KEPT) == []
