"""Historic: days against holding in steps, and what was known, predicted and done on one of them."""

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from dashboard.core.numbers import MINUS
from dashboard.gateway.historic import DayValue, read_day_values, read_known_prices
from dashboard.gateway.reading import snapshot
from dashboard.historic import views
from dashboard.historic.year import DayResult, months_of, results_by_day
from strades_pipelines.brokerage.replay import replay
from tests.brokerage.conftest import AAPL, BTC, MINUTE, REPLAY, START, AddCandles, add_days
from tests.dashboard.conftest import CLOCK, ClientOf, decision_id
from tests.dashboard.test_today import HOSTILE, MOST_QUERIES, connect_as_owner

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

__all__ = ["add_days"]
Connection = psycopg.Connection[Any]
CLOSES = [100.0, 101.0, 99.0, 98.0, 102.0, 103.0]


@pytest.fixture
def replayed(adbc: "AdbcConnection", add_days: AddCandles, site: str) -> str:
    """A stock's six days, and a wallet that never buys: its fast and slow averages are the same."""
    add_days(CLOSES)
    template = replace(
        REPLAY,
        instruments=("yahoo:AAPL",),
        interval="1d",
        currency="USD",
        parameters={"fast": 5, "slow": 6, "size": 1.0},
    )
    end = START + timedelta(days=10)
    return replay(adbc, template, start=START, end=end, now=end).wallet or ""


@pytest.mark.parametrize(
    ("lead", "sign", "colour"),
    [
        (0.0, "=", "level"),
        (0.0005, "=", "level"),
        (0.0006, "+1", "ahead1"),
        (-0.005, f"{MINUS}1", "behind1"),
        (-0.006, f"{MINUS}2", "behind2"),
        (0.03, "+3", "ahead3"),
        (None, "?", "unknown"),
    ],
)
def test_a_day_has_one_of_seven_steps_and_a_sign(lead: float | None, sign: str, colour: str) -> None:
    result = DayResult(date(2024, 1, 2), lead, None if lead is None else 0.0)
    assert (result.sign, result.colour) == (sign, colour)


def test_a_day_is_measured_from_the_last_one_before_it_with_a_value() -> None:
    values = [
        DayValue(None, START, 100.0, 100.0),
        DayValue(date(2024, 1, 5), START, 110.0, 105.0),
        DayValue(date(2024, 1, 8), START, 99.0, 126.0),
        DayValue(date(2024, 1, 9), START, None, 126.0),
    ]
    results = results_by_day(values)
    assert [(one.own, one.held) for one in results.values()] == [
        (pytest.approx(0.1), pytest.approx(0.05)),
        (pytest.approx(-0.1), pytest.approx(0.2)),
        (None, 0.0),
    ]
    january, february = months_of(2024, results)[:2]
    assert (len(january), len(february)) == (31, 29)
    assert [result.day.day for result in january if result] == [5, 8, 9]


def test_the_calendar_says_what_holding_made_on_each_day(replayed: str, client_of: ClientOf) -> None:
    with snapshot():
        results = results_by_day(read_day_values(replayed, date(2024, 1, 1), date(2024, 12, 31)))
    assert list(results) == [date(2024, 1, 2 + n) for n in range(6)]
    steps = [after / before - 1 for before, after in zip([100.0, *CLOSES], CLOSES, strict=False)]
    assert [one.held for one in results.values()] == pytest.approx(steps)
    assert [one.own for one in results.values()] == [0.0] * 6
    page = client_of("viewer").get(f"/historic/?wallet={replayed}&year=2024").content.decode()
    cells = re.findall(r'href="/historic/2024-01-(\d\d)/\?wallet=[^"]+" title="[^"]+">([^<]+)</a>', page)
    assert cells == [
        ("02", "="), ("03", f"{MINUS}2"), ("04", "+2"), ("05", "+2"), ("06", f"{MINUS}3"), ("07", f"{MINUS}2"),
    ]  # fmt: skip


def test_a_day_from_the_middle_is_measured_from_the_one_before(replayed: str) -> None:
    with snapshot():
        results = results_by_day(read_day_values(replayed, date(2024, 1, 4), date(2024, 1, 4)))
    assert results[date(2024, 1, 4)].held == pytest.approx(99 / 101 - 1)


def test_a_day_shows_what_was_known_and_done_and_nothing_that_came_later(
    traded: Connection, client_of: ClientOf
) -> None:
    client = client_of("viewer")
    page = client.get("/historic/2024-01-02/?wallet=paper").content.decode()
    assert f'href="/trace/{decision_id(traded)}/"' in page
    assert "2 gateio:BTC_USDT @ 102 USDT" in re.sub(r"<[^>]+>", "", page)
    assert "strades run --from 2024-01-02 --to 2024-01-03" in page
    with snapshot():
        [late] = read_known_prices("paper", "1m", START, CLOCK)
        [early] = read_known_prices("paper", "1m", START, START + 2 * MINUTE)
        [before] = read_known_prices("paper", "1m", START, START)
    # Closes of 100, 101, 102 ... are known a minute after each other (tests/brokerage/test_execution.py).
    assert (late.close, early.close, before.close) == (104.0, 101.0, None)
    assert late.close_before is None
    other = client.get("/historic/2024-01-01/?wallet=paper").content.decode()
    assert "no bar was known" in other
    assert "Nothing on this day." in other


def test_predictions_of_the_day_stand_beside_what_came(traded: Connection, client_of: ClientOf) -> None:
    for n, (listing, at) in enumerate(((BTC, START), (AAPL, START), (BTC, START - MINUTE))):
        traded.execute(
            "INSERT INTO predictions.forecasts (prediction_id, name, listing_id, session_date, decision_time, status, "
            "inputs_hash, recorded_at) VALUES (%s, %s, %s, '2024-01-02', %s, 'no_model', '', %s)",
            [f"P{n}", f"model{n}", listing, at, at],
        )
    traded.commit()
    page = client_of("viewer").get("/historic/2024-01-02/?wallet=paper").content.decode()
    assert re.findall(r"model\d", page) == ["model0"]
    assert "no_model" in page


def test_what_was_done_is_paged(traded: Connection, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "SHOWN_EVENTS", 1)
    client, found, link = client_of("viewer"), [], "?wallet=paper"
    while link:
        page = client.get(f"/historic/2024-01-02/{link}").content.decode()
        found += re.findall(r'href="/trace/(\w+)/"', page.partition('id="done"')[2])
        link = "".join(re.findall(r'rel="next" href="(\?wallet[^"]+)"', page)).replace("&amp;", "&")
    events = traded.execute(
        "SELECT decision_id FROM signals.decisions UNION ALL SELECT intent_id FROM trading.intents "
        "UNION ALL SELECT fill_id FROM trading.fills"
    ).fetchall()
    assert len(found) == len(events) == 4
    assert {event_id for (event_id,) in events} == set(found)


def test_a_day_or_wallet_that_is_not_there_is_not_there(traded: Connection, client_of: ClientOf) -> None:
    client = client_of("viewer")
    for path in (
        *("2024-02-30/?wallet=paper", "20240102/?wallet=paper", "x/?wallet=paper", "2024-01-03/?wallet=paper"),
        *("1066-10-14/?wallet=paper", "2024-01-02/?wallet=nobody", "2024-01-02/?wallet=%00", "?wallet=nobody"),
        *("?wallet=%00", "2024-01-02/?wallet=paper&after=x"),
    ):
        assert client.get(f"/historic/{path}").status_code == 404, path
    assert "No result" in client.get("/historic/?wallet=paper").content.decode()


def test_historic_asks_the_database_at_most_a_dozen_times_and_has_no_script(
    traded: Connection, replayed: str, client_of: ClientOf
) -> None:
    with connect_as_owner(traded) as owner:
        owner.execute("ALTER TABLE signals.decisions DISABLE TRIGGER USER")
        owner.execute("UPDATE signals.decisions SET reason = %s", [HOSTILE[0]])
        owner.commit()
    client = client_of("trader")
    client.get("/")
    assert client.get(f"/historic/?wallet={replayed}&year=2023").status_code == 404
    shown = "/historic/", f"/historic/?wallet={replayed}", "/historic/2024-01-02/?wallet=paper"
    for path in (*shown, f"/wallets/{replayed}/performance/"):
        with (
            CaptureQueriesContext(connections["default"]) as own,
            CaptureQueriesContext(connections["layers"]) as layers,
        ):
            page = client.get(path).content.decode()
        queries = [query["sql"] for query in (*own.captured_queries, *layers.captured_queries)]
        queries = [query for query in queries if query not in ("BEGIN", "COMMIT")]
        assert len(queries) <= MOST_QUERIES, "\n".join([path, *queries])
        assert not re.search(r"<script|\sstyle=|\son\w+=", page), path
