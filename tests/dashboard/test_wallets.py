"""Wallets: figures as `strades wallets`, `strades history` and SQL say them; orders with all that happened to them."""

import csv
import re
from datetime import date
from decimal import Decimal
from io import StringIO
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from dashboard.gateway import rows as gateway
from dashboard.gateway.holdings import read_holding
from dashboard.gateway.reading import snapshot
from dashboard.gateway.results import SessionReturn, read_session_returns
from dashboard.results import wallets
from dashboard.results.exports import to_csv
from dashboard.results.months import returns_by_year
from strades_pipelines.brokerage.history import measure_history
from strades_pipelines.brokerage.intents import intend
from strades_pipelines.brokerage.live import measure
from strades_pipelines.brokerage.performance_report import read_performance
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.brokerage.wallet_status import wallet_status
from tests.brokerage.conftest import rows
from tests.brokerage.test_execution import FILLED
from tests.dashboard.conftest import CLOCK, ClientOf
from tests.dashboard.test_today import MOST_QUERIES

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

Connection = psycopg.Connection[Any]
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def doubtful(traded: Connection, adbc: "AdbcConnection") -> str:
    """The wallet measured, and its second order in doubt: the venue answered with a page. Returns the order's id."""
    wallet = load_wallet(traded, "paper")
    measure(traded, adbc, "paper", now=CLOCK)
    measure_history(traded, wallet, now=CLOCK)
    [known], _ = intend(traded, wallet, now=FILLED)
    for state, message in (("submitting", None), ("unknown", f"\0{HOSTILE}".encode())):
        traded.execute(
            "INSERT INTO trading.order_events (intent_id, state, reason, message, recorded_at) "
            "VALUES (%s, %s, %s, %s, %s)",
            [known.order.intent_id, state, f"no answer {HOSTILE}" if message else None, message, FILLED],
        )
    traded.commit()
    return known.order.intent_id


def test_a_wallet_s_figures_are_those_of_the_terminal(doubtful: str, traded: Connection, site: str) -> None:
    expected = wallet_status(traded, load_wallet(traded, "paper"), now=CLOCK)
    performance = read_performance(traded, load_wallet(traded, "paper"), None, None)
    with snapshot():
        found = read_holding("paper", now=CLOCK, has_daily_bars=True)
        sessions = read_session_returns("paper")
    assert found is not None
    assert (found.cash, found.equity, found.state) == (expected.cash, expected.equity, expected.wallet.state)
    [position], [held] = found.positions, expected.positions
    assert (position.quantity, position.cost, position.unrealised, position.realised) == (
        held.quantity,
        held.cost,
        held.unrealised,
        held.realised,
    )
    [year] = returns_by_year(sessions)
    assert (year.year, year.whole.own) == (2024, performance.time_weighted)
    assert sum(session.fees for session in sessions) == sum(row["fees"] for row in performance.sessions)


def test_its_page_shows_every_event_of_an_order_in_doubt_as_text(doubtful: str, client_of: ClientOf) -> None:
    client = client_of("viewer")
    page = client.get("/wallets/paper/").content.decode()
    opened, _, over = page.partition('id="orders"')
    assert "in doubt at the venue" in opened
    assert f'href="/trace/{doubtful}/"' in opened
    assert re.findall(r"<b(?: class=\"late\")?>(planned|submitting|unknown)</b>", opened) == [
        "planned",
        "submitting",
        "unknown",
    ]
    assert "no answer &lt;script&gt;" in opened
    assert "<script>" not in page
    assert "filled" in over
    assert 'href="/halt/' not in page
    listed = client.get("/wallets/").content.decode()
    assert 'href="/wallets/paper/"' in listed
    assert "no result yet" not in listed


def test_orders_are_paged_by_where_the_last_one_stands(
    doubtful: str, traded: Connection, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    traded.execute(
        "INSERT INTO trading.order_events (intent_id, state, reason, recorded_at) VALUES (%s, 'cancelled', 'x', %s)",
        [doubtful, FILLED],
    )
    traded.commit()
    monkeypatch.setattr(wallets, "SHOWN_ORDERS", 1)
    client = client_of("viewer")
    [(older,)] = rows(traded, f"SELECT intent_id FROM trading.intents WHERE intent_id <> '{doubtful}'")

    def shown(address: str) -> tuple[list[str], str]:
        page = client.get(f"/wallets/paper/{address}").content.decode()
        links = re.findall(r'href="(\?before=[^"]+)"', page)
        return re.findall(r'href="/trace/(\w+)/"', page), "".join(links)

    first, link = shown("")
    assert first == [doubtful]
    assert shown(link) == ([older], "")
    for wrong in ("x", "2024-01-02~A", "2024-01-02T00:00:00~A", "~", "2024-01-02T00:00:00Z~%00"):
        assert client.get(f"/wallets/paper/?before={wrong}").status_code == 404, wrong


def test_fills_and_equity_are_saved_as_they_stand(doubtful: str, traded: Connection, client_of: ClientOf) -> None:
    client = client_of("viewer")
    answer = client.get("/wallets/paper/fills.csv")
    assert answer["Content-Disposition"] == 'attachment; filename="paper-fills.csv"'
    [fill] = csv.DictReader(StringIO(answer.content.decode()))
    [(quantity, price, fee)] = rows(traded, "SELECT quantity, price, fee FROM trading.fills")
    assert tuple(Decimal(fill[name]) for name in ("quantity", "price", "fee")) == (quantity, price, fee)
    points = list(csv.DictReader(StringIO(client.get("/wallets/paper/equity.csv").content.decode())))
    [(count, newest)] = rows(traded, "SELECT count(*), max(time) FROM results.equity")
    assert (len(points), points[0]["time"]) == (count, newest.isoformat())
    asked = client.get("/wallets/paper/fills.csv?query")
    assert (asked["Content-Disposition"], asked["Strades-As-Of"]) == (
        'attachment; filename="paper-fills.sql"',
        CLOCK.isoformat(),
    )
    query = asked.content.decode()
    assert query.startswith(f"-- Rows as of {CLOCK.isoformat()}\n")
    [again] = rows(traded, query)
    assert quantity in again
    with gateway.export_slot(), gateway.export_slot():
        assert client.get("/wallets/paper/fills.csv").status_code == 503
    for path in ("nobody/", "nobody/fills.csv", "nobody/equity.csv", "%00/", "%00/fills.csv", "../paper/x/"):
        assert client.get(f"/wallets/{path}").status_code == 404, path


def test_new_pages_ask_the_database_at_most_a_dozen_times(doubtful: str, client_of: ClientOf) -> None:
    client = client_of("trader")
    client.get("/")
    for path in ("/wallets/", "/wallets/paper/", "/commands/", "/halt/", "/resume/"):
        with (
            CaptureQueriesContext(connections["default"]) as own,
            CaptureQueriesContext(connections["layers"]) as layers,
        ):
            assert client.get(path).status_code == 200
        queries = [query["sql"] for query in (*own.captured_queries, *layers.captured_queries)]
        queries = [query for query in queries if query not in ("BEGIN", "COMMIT")]
        assert len(queries) <= MOST_QUERIES, "\n".join([path, *queries])


def test_no_cell_is_a_formula() -> None:
    assert to_csv(["a", "b"], [["=1+1", Decimal("-1.50")], ["@x,y", None]]) == "a,b\n'=1+1,-1.50\n\"'@x,y\",\n"


def test_months_are_linked_and_what_has_no_return_is_missing() -> None:
    def session(year: int, month: int, day: int, value: float | None) -> SessionReturn:
        return SessionReturn(date(year, month, day), value, Decimal(0), CLOCK)

    found = returns_by_year(
        [session(2023, 12, 29, 0.5), session(2024, 1, 2, 0.1), session(2024, 1, 3, 0.1), session(2024, 3, 1, None)]
    )
    assert [(year.year, year.whole.own) for year in found] == [(2024, None), (2023, 0.5)]
    january, february, march = found[0].months[:3]
    assert january is not None
    assert january.own == pytest.approx(0.21)
    assert february is None
    assert march is not None
    assert march.own is None
