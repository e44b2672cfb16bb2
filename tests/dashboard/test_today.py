"""Today's figures are those of the domain; what is old is said to be, what is missing is named."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from dashboard.gateway.holdings import read_holdings
from dashboard.gateway.reading import snapshot
from strades_pipelines.brokerage.command_log import Request, Scope
from strades_pipelines.brokerage.halts import halt
from strades_pipelines.brokerage.wallet_status import wallet_statuses
from strades_pipelines.database.connection import connect
from tests.dashboard.conftest import CLOCK, ClientOf, decision_id, store

Connection = psycopg.Connection[Any]
MOST_QUERIES = 12


def test_holdings_are_those_of_strades_context(traded: Connection, site: str) -> None:
    with connect(site) as domain:
        [expected] = wallet_statuses(domain, now=CLOCK)
    with snapshot():
        [found] = read_holdings(now=CLOCK, has_daily_bars=True)
    assert (found.wallet, found.cash, found.equity) == (expected.wallet.name, expected.cash, expected.equity)
    [position], [held] = found.positions, expected.positions
    assert (position.instrument, position.quantity, position.average_price, position.price) == (
        held.instrument,
        held.quantity,
        held.average_price,
        held.price,
    )
    # Bought 2 at 102 with a fee of 0.1 %; the last close that is known is 104 (tests/brokerage/test_execution.py).
    assert position.unrealised == held.unrealised == 2 * 104 - 2 * 102 * Decimal("1.001")
    [(_, part)] = found.allocation
    assert part == pytest.approx(208 / float(expected.equity or 0))
    found.rates, found.cash = {}, None
    assert found.allocation == [(position, None)]


def test_a_position_without_a_price_is_a_named_absence_and_so_is_the_equity(
    traded: Connection, client_of: ClientOf
) -> None:
    traded.execute("DELETE FROM records.candles")
    traded.commit()
    page = client_of("viewer").get("/").content.decode()
    assert "no bar is known" in page
    assert "a position has no price" in page
    with snapshot():
        [wallet] = read_holdings(now=CLOCK, has_daily_bars=True)
    assert (wallet.equity, wallet.unpriced) == (None, ["gateio:BTC_USDT"])


def test_foreign_cash_is_in_the_equity_at_the_rate_that_was_known_or_is_named(
    traded: Connection, site: str, client_of: ClientOf
) -> None:
    traded.execute("INSERT INTO trading.cash VALUES ('paper', 'EUR', 50, now()), ('paper', 'XYZ', 7, now())")
    for days, value in ((1, 1.25), (0, 2.0)):  # the second one is known later than the page is asked for
        traded.execute(
            "INSERT INTO records.observations VALUES ('ECB:USDT', %s, %s, 'x', NULL, %s, 'stated', 1, now())",
            [CLOCK - timedelta(days=days), value, CLOCK + timedelta(hours=1 - 24 * days)],
        )
    traded.commit()
    with connect(site) as domain:
        [expected] = wallet_statuses(domain, now=CLOCK)
    with snapshot():
        [found] = read_holdings(now=CLOCK, has_daily_bars=True)
    [position] = found.positions
    assert position.value is not None
    assert found.cash is not None
    assert found.equity == found.cash + position.value + Decimal("62.5") == expected.equity
    assert {cash.currency: cash.rate for cash in found.foreign_cash} == {"EUR": Decimal("1.25"), "XYZ": None}
    for path in ("/", "/wallets/paper/"):
        page = client_of("viewer", f"ada{len(path)}").get(path).content.decode()
        assert "62.50" in page
        assert "no rate is known" in page


def test_the_page_says_what_is_held_and_what_was_decided(traded: Connection, client_of: ClientOf) -> None:
    page = client_of("viewer").get("/").content.decode()
    assert "gateio:BTC_USDT" in page
    assert "2 decisions since midnight" in page
    assert f"/decisions/{decision_id(traded)}/" in page
    assert "SANDBOX · PAPER TRADING" in page
    assert "1 wallet " in page


def test_a_source_that_answered_in_time_is_fresh_and_later_it_is_late(traded: Connection, client_of: ClientOf) -> None:
    client = client_of("viewer")
    # Gate.io is due every 5 minutes, and 15 minutes are forgiven; it answered 2 minutes ago.
    assert _state(client.get("/").content.decode(), "gateio") == "fresh"
    assert _state(client.get("/").content.decode(), "yahoo") == "never"
    traded.execute("UPDATE rawsources.fetches SET fetched_at = %s", [CLOCK - timedelta(minutes=21)])
    traded.commit()
    assert _state(client.get("/").content.decode(), "gateio") == "late"


def _state(page: str, source: str) -> str:
    before = page.partition(f'">{source}</span>')[0]
    return before.rpartition('class="dot ')[2]


def test_a_failed_fetch_does_not_count_as_an_answer(traded: Connection, client_of: ClientOf) -> None:
    traded.execute(
        "UPDATE rawsources.fetches SET outcome = 'failed', error = 'no route <b>', sha256 = NULL, fetched_at = %s",
        [CLOCK],
    )
    traded.commit()
    page = client_of("viewer").get("/states/").content.decode()
    assert _state(page, "gateio") == "never"
    assert "no route &lt;b&gt;" in page


def test_a_halted_wallet_is_seen_at_once(traded: Connection, client_of: ClientOf) -> None:
    request = Request("halt", Scope("wallet", "paper"), "ada", CLOCK, "too <i>fast</i>")
    halt(traded, request, "halted")
    page = client_of("viewer").get("/").content.decode()
    assert "1 wallet halted" in page
    assert "halted: too &lt;i&gt;fast&lt;/i&gt;" in page


def test_an_empty_installation_says_what_comes_and_no_zero_for_money(client_of: ClientOf) -> None:
    client = client_of("viewer")
    page = client.get("/").content.decode()
    assert "No wallet trades yet" in page
    assert "No result yet" in page
    assert "0.00" not in page
    assert client.get("/markets/").status_code == client.get("/states/").status_code == 200


@pytest.mark.parametrize("path", ["/", "/markets/", "/markets/11/", "/states/", "/bodies/1/", "/settings/", "/people/"])
def test_a_page_asks_the_database_at_most_a_dozen_times(path: str, traded: Connection, client_of: ClientOf) -> None:
    client = client_of("admin")
    client.get(path)
    with (
        CaptureQueriesContext(connections["default"]) as own,
        CaptureQueriesContext(connections["layers"]) as layers,
    ):
        assert client.get(path).status_code == 200
    queries = [query["sql"] for query in (*own.captured_queries, *layers.captured_queries)]
    queries = [query for query in queries if query not in ("BEGIN", "COMMIT")]
    assert len(queries) <= MOST_QUERIES, "\n".join(queries)


def test_more_wallets_ask_no_more(traded: Connection, client_of: ClientOf) -> None:
    client = client_of("viewer")
    counts = []
    for n in range(2):
        with CaptureQueriesContext(connections["layers"]) as layers:
            client.get("/")
        counts.append(len(layers.captured_queries))
        traded.execute(
            "INSERT INTO trading.wallets SELECT (w).* FROM (SELECT jsonb_populate_record(w, "
            "jsonb_build_object('wallet', %s::text)) AS w FROM trading.wallets AS w WHERE wallet = 'paper') AS copied",
            [f"other{n}"],
        )
        traded.commit()
    assert counts[0] == counts[1]


def test_the_door_to_the_layers_cannot_write(traded: Connection, site: str) -> None:
    with snapshot(), connections["layers"].cursor() as cursor, pytest.raises(Exception, match="read-only transaction"):
        cursor.execute("DELETE FROM dashboard.connections")


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "{{ 7*7 }}{% load x %}",
    "'; DROP TABLE trading.fills; --",
    "\u202eevil",
    "long " + "x" * 5000,
)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_outside_is_text_on_every_page(text: str, traded: Connection, client_of: ClientOf) -> None:
    client = client_of("admin", "ada")
    client.post("/settings/", {"name": text[:100], "address": text[:300]})
    with connect_as_owner(traded) as owner:
        owner.execute("ALTER TABLE signals.decisions DISABLE TRIGGER USER")
        owner.execute("UPDATE signals.decisions SET reason = %s", [text])
        owner.execute("UPDATE records.listings SET symbol = %s WHERE listing_id = 12", [text])
        owner.execute("UPDATE trading.wallets SET state = 'halted', state_reason = %s", [text])
        owner.commit()
    store(traded, 2, text.encode(), at=CLOCK, url=f"https://example.org/{text}")
    paths = ["/", "/markets/", "/markets/12/", "/markets/11/", "/states/", "/bodies/2/", "/settings/", "/people/"]
    for path in [*paths, f"/decisions/{decision_id(traded)}/"]:
        page = client.get(path).content.decode()
        assert "<script>" not in page, path
        assert "<img src=x" not in page, path
        assert 'href="javascript' not in page, path
    assert client.get("/bodies/2/download/").content == text.encode()


def connect_as_owner(connection: Connection) -> Connection:
    """A connection of the tables' owner to the same database."""
    info = connection.info
    return psycopg.connect(
        host=info.host, port=info.port, dbname=info.dbname, user=info.user, password=info.password, autocommit=False
    )
