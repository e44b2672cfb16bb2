"""Keys of a venue that repeats them in whatever it answers are in no table, log, output or event of Dagster."""

import base64
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dagster as dg
import pytest
from requests import PreparedRequest, Response

from sandbox.venue.in_process import InProcessAdapter, _response
from sandbox.venue.venue import Venue
from sandbox.venue.venues import alpaca_venue
from strades_pipelines.brokerage.brokers.alpaca import account
from strades_pipelines.brokerage.brokers.alpaca.broker import new_client
from strades_pipelines.brokerage.brokers.selection import venue_for
from strades_pipelines.brokerage.brokers.venue_errors import BrokerError
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.brokerage.reconcile import NotReconciledError, execute_reconciled
from strades_pipelines.brokerage.trading_rows import decision_row, insert
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.defs.trading import assets
from strades_pipelines.market.order_terms import OrderRequest, OrderTerms, TradingDecision
from strades_pipelines.resources.database import Database
from strades_pipelines.settings import settings
from strades_pipelines.system import secret_values
from tests.brokerage.approvals import approve_live
from tests.brokerage.at_venue import AT_ALPACA, Clock
from tests.brokerage.chaos import prepare
from tests.brokerage.conftest import AAPL, MINUTE, START, Connection, rows
from tests.brokerage.wallet_files import write_wallets

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")
KEY, SECRET = "CANARYKEY0123456789", "canarySecret/abcdefgh+0123456789"
NOW = START + 2 * MINUTE


class Echo(InProcessAdapter):
    """A venue that repeats the keys of a request in its answer, where `answers` has the method of it."""

    answers: dict[str, int]

    def send(self, request: PreparedRequest, **options: Any) -> Response:  # type: ignore[override]
        status = self.answers.get(request.method or "")
        if status is None:
            return super().send(request, **options)
        key, secret = (str(request.headers[f"APCA-API-{name}"]) for name in ("KEY-ID", "SECRET-KEY"))
        encoded = base64.b64encode(f"{key}:{secret}".encode()).decode()
        body = f'{{"code": 1, "message": "who are you, {key}, with {secret}, {quote(secret, safe="")}? {encoded}"}}'
        return _response(request, status, {}, body.encode())


@pytest.fixture
def venue(market: Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Echo]]:
    """Alpaca's live address, with an account of the canaries; keys of the live world are in the environment."""
    prepare(market)
    clock = Clock(NOW)
    at: Venue = alpaca_venue(clock)
    at.exchange.open_account(KEY, SECRET, {"USD": AT_ALPACA.cash}, at.exchange.accounts["sandbox-key"].multiplier)
    answering = type("Answering", (Echo,), {"answers": {}})

    def mounted(key: str, secret: str, url: str) -> Any:
        assert url == "https://api.alpaca.markets"
        client: Any = new_client(key, secret, f"http://venue/{at.api.host}")
        client._session.mount("http://", answering({at.api.host: at}, clock.move))
        return client

    monkeypatch.setattr(account, "new_client", mounted)
    monkeypatch.setenv("ALPACA_LIVE_API_KEY", KEY)
    monkeypatch.setenv("ALPACA_LIVE_SECRET_KEY", SECRET)
    monkeypatch.setenv("STRADES_WORLD", "live")
    monkeypatch.setenv("STRADES_LIVE_TRADING", "true")
    monkeypatch.setattr(secret_values, "_known", set())
    secret_values._pattern.cache_clear()
    settings.cache_clear()
    yield answering
    secret_values._pattern.cache_clear()
    settings.cache_clear()


def every_row(market: Connection) -> str:
    """All tables of the database as text, bytes as they are."""
    market.execute("SET bytea_output = 'escape'")
    tables = market.execute(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
        "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    ).fetchall()
    found = [str(row) for (name,) in tables for row in market.execute(f"SELECT t::text FROM {name} AS t").fetchall()]
    market.commit()
    return "\n".join(found)


def assert_clean(text: str) -> None:
    encoded = base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
    for canary in (KEY, SECRET, quote(SECRET, safe=""), encoded[8:24]):
        assert canary.lower() not in text.lower()


@pytest.mark.parametrize("status", [200, 401, 403, 422, 429, 500])
def test_30_a_venue_that_repeats_the_keys_leaves_them_nowhere(
    status: int,
    venue: type[Echo],
    market: Connection,
    database_url: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    live = open_wallet(market, replace(AT_ALPACA, mode="live"), now=START)
    approve_live(market, live.name)
    assert execute_reconciled(market, market, "alpaca", now=NOW).sent == []
    # An order that is refused, then look-ups, cancels and comparisons that fail.
    request = OrderRequest(Decimal(3), OrderTerms(limit=Decimal(101)))
    made = TradingDecision("alpaca", "test", 0, AAPL, NOW, "bar", "b", 0, 0.0, 0.0, "why", {}, request)
    assert insert(market, "signals.decisions", decision_row(made, NOW))
    market.commit()
    venue.answers["POST"] = status
    execute_pending(market, venue_for(live, market), "alpaca", now=NOW)
    events = rows(market, "SELECT state, message FROM trading.order_events WHERE message IS NOT NULL")
    assert events, "the venue's words are kept"
    assert b"who are you, ***" in events[-1][1]
    venue.answers.update(GET=status, DELETE=status)
    with pytest.raises(NotReconciledError, match="its venue does not answer") as failed:
        execute_reconciled(market, market, "alpaca", now=NOW + 20 * MINUTE)
    execute_pending(market, venue_for(load_wallet(market, "alpaca"), market), "alpaca", now=NOW + 21 * MINUTE)
    printed = capfd.readouterr()
    assert_clean(str(failed.value))
    assert_clean(every_row(market))
    assert_clean(caplog.text)
    assert_clean(printed.out + printed.err)


def test_30_dagster_is_told_of_a_failure_without_the_keys(
    venue: type[Echo],
    market: Connection,
    database_url: str,
    tmp_path: Path,
    give_settings: Callable[..., None],
    capfd: Any,
) -> None:
    write_wallets(tmp_path / "Wallets.json", replace(AT_ALPACA, mode="live", opened_at=START))
    give_settings(wallets=str(tmp_path / "Wallets.json"))
    venue.answers["GET"] = 403
    instance = dg.DagsterInstance.ephemeral()
    result = dg.materialize(
        [assets.trading],
        resources={"database": Database(url=database_url)},
        run_config={"ops": {"trading": {"config": {"from_date": "2024-01-02", "to_date": "2024-01-03"}}}},
        raise_on_error=False,
        instance=instance,
    )
    assert not result.success
    told = "\n".join(str(entry) for entry in instance.all_logs(result.run_id))
    assert "who are you, ***" in told
    printed = capfd.readouterr()
    assert_clean(told)
    assert_clean(printed.out + printed.err)
    assert_clean(every_row(market))


def test_an_error_of_a_broker_holds_no_key() -> None:
    secret_values.remember_secret("canary-of-an-error")
    error = BrokerError("it said canary-of-an-error", b"canary-of-an-error!")
    assert (str(error), error.message) == ("it said ***", b"***!")
