"""Results below a wallet: figures as the domain, arithmetic and other code say them; what is verified can be wrong."""

import csv
import re
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from dashboard.gateway.bots import read_bots
from dashboard.gateway.comparison import read_profits
from dashboard.gateway.performance import HeldMonth, read_by_owner, read_held_months, read_worth
from dashboard.gateway.reading import snapshot
from dashboard.gateway.results import SessionReturn, read_curve
from dashboard.gateway.verification import read_comparisons, read_newest_equity, sums_query
from dashboard.results import round_trips, verification
from dashboard.results.months import returns_by_year
from strades_pipelines.analysis.significance_report import significance_report
from strades_pipelines.analysis.trials import Trial
from strades_pipelines.brokerage.booked_splits import read_splits
from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.command_log import Request, Scope
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.history import measure_history
from strades_pipelines.brokerage.holdings import booked_positions
from strades_pipelines.brokerage.live import decide, measure
from strades_pipelines.brokerage.performance_report import read_performance
from strades_pipelines.brokerage.person_orders import decide_by_hand
from strades_pipelines.brokerage.portfolio import Wallet, load_fills, load_wallet
from strades_pipelines.brokerage.trial_store import DatabaseTrialLedger
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.brokerage.wallet_status import wallet_status
from strades_pipelines.database.connection import connect
from strades_pipelines.market.order_terms import MARKET, OrderRequest
from strades_pipelines.strategy.events import microseconds
from tests.brokerage.conftest import BTC, MINUTE, START, AddCandles, rows
from tests.brokerage.test_execution import CLOSES, DECIDED, FILLED, SENT, decision
from tests.brokerage.test_sleeves import SHARED
from tests.dashboard.conftest import CLOCK, ClientOf
from tests.dashboard.test_today import HOSTILE, MOST_QUERIES, connect_as_owner

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

Connection = psycopg.Connection[Any]
PARTS = ("", "performance/", "returns/", "round-trips/", "comparison/", "verification/")
PATHS = [*(f"/wallets/paper/{part}" for part in PARTS), "/bots/"]


@pytest.fixture
def measured(
    market: Connection, wallet: Wallet, add_candles: AddCandles, database_url: str, adbc: "AdbcConnection", site: str
) -> Connection:
    """The strategy bought 2 and alice 1 at 102; both sold at 108; the strategy bought 1 at 101. Measured."""
    add_candles(CLOSES)
    add_candles([106.0, 108.0, 105.0, 101.0, 99.0, 103.0], start=START + 5 * MINUTE)
    with connect(database_url) as theirs:
        venue = PaperBroker(theirs, wallet)
        for n, (target, by_hand) in enumerate(((2.0, 1), (0.0, -1), (1.0, 0))):
            at = DECIDED + (4 * n if n < 2 else 6) * MINUTE
            decision(market, target, at)
            if by_hand:
                asked = Request("order", Scope("wallet", "paper"), "alice", at)
                decide_by_hand(market, wallet, wallet.listings[0], OrderRequest(Decimal(by_hand), MARKET), asked)
                market.commit()
            for now in (at + (SENT - DECIDED), at + (FILLED - DECIDED)):
                execute_pending(market, venue, "paper", now=now)
    measure(market, adbc, "paper", now=CLOCK)
    measure_history(market, load_wallet(market, "paper"), now=CLOCK)
    return market


def test_a_round_trip_is_what_arithmetic_says_of_its_fills(measured: Connection, client_of: ClientOf) -> None:
    client = client_of("viewer")
    text = client.get("/wallets/paper/round-trips.csv").content.decode()
    opened, closed = csv.DictReader(StringIO(text))
    # 3 x (108 - 102), and 0.1 % of 3 x 102 and of 3 x 108.
    fees = Decimal("0.001") * 3 * (102 + 108)
    assert [Decimal(closed[name]) for name in ("quantity", "entry_price", "exit_price")] == [3, 102, 108]
    assert (Decimal(closed["fees"]), Decimal(closed["profit"])) == (fees, 18 - fees)
    assert (opened["closed_at"], opened["profit"], opened["entry_price"]) == ("", "", "101")
    page = client.get("/wallets/paper/round-trips/").content.decode()
    assert "+17.37" in page
    assert "still open" in page
    [(trips, profit)] = rows(
        measured,
        "SELECT (statistics ->> 'round_trips')::int, (SELECT count(*) FROM results.round_trips WHERE profit > 0) "
        "FROM results.performance",
    )
    assert trips == profit == 1


def test_a_round_trip_that_late_fills_took_away_goes_with_the_next_measure(
    measured: Connection, adbc: "AdbcConnection"
) -> None:
    counted = "SELECT count(*), max(sequence) FROM results.round_trips"
    before = rows(measured, counted)
    measured.execute(
        "INSERT INTO results.round_trips SELECT (t).* FROM (SELECT jsonb_populate_record(r, "
        "jsonb_build_object('sequence', 7)) AS t FROM results.round_trips AS r WHERE sequence = 0) AS copied"
    )
    measured.commit()
    measure(measured, adbc, "paper", now=CLOCK + MINUTE)
    assert rows(measured, counted) == before == [(2, 1)]


def test_round_trips_are_paged_by_their_sequence(
    measured: Connection, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(round_trips, "SHOWN_TRIPS", 1)
    client = client_of("viewer")
    first = client.get("/wallets/paper/round-trips/").content.decode()
    assert "+17.37" not in first
    [link] = re.findall(r'href="(\?before=\d+)" rel="next"', first)
    second = client.get(f"/wallets/paper/round-trips/{link}").content.decode()
    assert "+17.37" in second
    assert 'rel="next"' not in second
    for wrong in ("x", "-1", "99999999999", "²"):
        assert client.get(f"/wallets/paper/round-trips/?before={wrong}").status_code == 404, wrong


def test_who_earned_it_is_told_as_by_strades_history(measured: Connection, site: str, client_of: ClientOf) -> None:
    expected = read_performance(measured, load_wallet(measured, "paper"), None, None)
    with snapshot():
        owners = read_by_owner("paper")
        [point] = read_profits("paper", None, points=10)
        assert read_profits("paper", BTC, points=10) == [point]
    assert [{name: getattr(owner, name) for name in expected.owners[0]} for owner in owners] == expected.owners
    assert {(owner.kind, owner.realised, owner.value) for owner in owners} == {(None, None, None)}
    by_source = {owner["source"]: owner["pnl"] for owner in expected.owners}
    # Alice: 108 - 102 less 0.1 % of both; the strategy twice that, and 103 - 101 with its fee on what it holds.
    assert point.person == by_source["person"] == 6 - Decimal("0.210")
    assert point.algorithm == by_source["algorithm"] == 12 - Decimal("0.420") + 2 - Decimal("0.101")
    # 1000 at the first close of 100 are worth 1030 at 103.
    assert point.held == pytest.approx(30)
    page = client_of("viewer").get(f"/wallets/paper/comparison/?listing={BTC}").content.decode()
    assert "+5.79" in page
    assert "+13.48" in page
    assert "+30.00" in page


def test_each_strategy_of_a_wallet_has_a_row_as_in_strades_wallets(
    market: Connection, add_candles: AddCandles, database_url: str, adbc: "AdbcConnection", client_of: ClientOf
) -> None:
    open_wallet(market, SHARED, now=START)
    add_candles(CLOSES)
    with connect(database_url) as theirs:
        for minute in range(1, len(CLOSES) + 1):
            decide(market, adbc, "paper", now=START + minute * MINUTE)
            venue = PaperBroker(theirs, load_wallet(market, "paper"))
            execute_pending(market, venue, "paper", now=START + minute * MINUTE)
    client = client_of("viewer")
    unmeasured = client.get("/wallets/paper/performance/").content.decode()
    assert "no result yet" in unmeasured[unmeasured.index("trend <small>sma_cross") :]
    measure(market, adbc, "paper", now=CLOCK)
    measure_history(market, load_wallet(market, "paper"), now=CLOCK)
    *known, _ = wallet_status(market, load_wallet(market, "paper"), now=CLOCK).owners
    fills = len(load_fills(market, load_wallet(market, "paper")))
    market.commit()
    with snapshot():
        found = read_by_owner("paper")
    told = [(one.name, one.realised, one.unrealised) for one in sorted(known, key=lambda one: one.name)]
    assert [(row.strategy, row.realised, row.unrealised) for row in found] == told
    assert sum(row.fills or 0 for row in found) == fills > 0
    assert [row.capital for row in found] == [0.4, 0.6]
    client.get("/")
    with CaptureQueriesContext(connections["default"]) as own, CaptureQueriesContext(connections["layers"]) as layers:
        page = client.get("/wallets/paper/performance/").content.decode()
    queries = [query["sql"] for query in (*own.captured_queries, *layers.captured_queries)]
    assert len([query for query in queries if query not in ("BEGIN", "COMMIT")]) <= MOST_QUERIES
    assert page.index("slow <small>sma_cross") < page.index("trend <small>sma_cross")


def test_the_drawdown_is_that_of_the_stored_equity(measured: Connection, site: str) -> None:
    equity = np.array([one for (one,) in rows(measured, "SELECT equity FROM results.equity ORDER BY time")])
    stored = [one for (one,) in rows(measured, "SELECT drawdown FROM results.equity ORDER BY time")]
    assert stored == pytest.approx(list(equity / np.maximum.accumulate(equity) - 1))
    with snapshot():
        curve = read_curve("paper", points=61)
    assert curve is not None
    deepest = min(fall for fall in curve.drawdown if fall is not None)
    assert deepest == curve.max_drawdown
    assert deepest < 0


def test_months_stand_beside_holding_over_the_same_span(measured: Connection, site: str) -> None:
    with snapshot():
        [month] = read_held_months("paper")
    assert month == HeldMonth(date(2024, 1, 1), 1030.0)
    sessions = [SessionReturn(date(2024, n, 2), 0.1, Decimal(0), CLOCK) for n in (1, 2)]
    held = [HeldMonth(date(2024, 1, 1), 1050.0), HeldMonth(date(2024, 2, 1), 1155.0)]
    [year] = returns_by_year(sessions, held, 1000.0)
    january, february = year.months[:2]
    assert january is not None
    assert february is not None
    assert [january.held, january.lead] == pytest.approx([0.05, 0.05])
    assert [february.held, february.lead] == pytest.approx([0.1, 0.0])
    assert [year.whole.held, year.whole.lead] == pytest.approx([0.155, 0.21 - 0.155])


def test_the_deflated_sharpe_ratio_is_that_of_a_study_with_the_stored_trials(measured: Connection, site: str) -> None:
    curve = rows(measured, "SELECT time, equity FROM results.equity ORDER BY time")
    times = np.array([microseconds(time) for time, _ in curve], np.int64)
    equity = np.array([value for _, value in curve])
    with snapshot():
        alone = read_worth("paper")
    assert alone is not None
    assert (alone.trials, alone.deflated) == (0, alone.psr)
    trials = [Trial("data", "code", "sma_cross", {"fast": n}, 0.01 * n, 500, {}, 252 * 390) for n in range(4)]
    DatabaseTrialLedger(site).record([*trials, Trial("data", "code", "another", {}, 5.0, 500, {}, 252)])
    scale = len(equity[1:]) * 365.25 * 86_400e6 / float(times[-1] - times[0])
    expected = significance_report(times, equity, trials=trials, periods_per_year=scale, samples=2)
    with snapshot():
        found = read_worth("paper")
    assert found is not None
    assert found.trials == 4
    assert [found.psr, found.deflated] == pytest.approx([expected.psr, expected.dsr])
    assert found.threshold == pytest.approx(expected.threshold)
    assert found.deflated is not None
    assert found.psr is not None
    assert found.deflated < found.psr


def test_a_wallet_that_nobody_touched_verifies(measured: Connection, client_of: ClientOf) -> None:
    page = client_of("viewer").get("/wallets/paper/verification/").content.decode()
    assert "Nothing differs: 0.00." in page
    assert len(re.findall(r">0\.00\s*</span>", page)) == 6  # cash, ledger, position; cash, holdings, equity
    assert "✓" in page


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE trading.cash SET balance = balance + 0.01", "cash USDT"),
        ("UPDATE trading.positions SET quantity = quantity * 2", "position gateio:BTC_USDT"),
        ("UPDATE trading.fills SET price = price + 0.001 WHERE side = 'sell'", "ledger that is not what its fill"),
        ("UPDATE trading.ledger SET amount = amount - 1 WHERE kind = 'fee'", "ledger that is not what its fill"),
        ("UPDATE results.equity SET equity = equity + 0.00001", "results equity"),
        ("UPDATE records.candles SET close = close - 0.00001 WHERE close = 103", "results holdings"),
    ],
)
def test_what_was_changed_is_red(change: str, told: str, measured: Connection, client_of: ClientOf) -> None:
    with connect_as_owner(measured) as owner:
        for table in ("trading.fills", "trading.ledger", "records.candles"):
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        owner.execute(change)
        owner.commit()
    page = client_of("viewer").get("/wallets/paper/verification/").content.decode()
    assert "It differs." in page
    assert told in page
    assert "Nothing differs" not in page


def test_of_a_long_ledger_lines_are_compared_when_that_is_asked_for_or_a_sum_differs(
    measured: Connection, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "MOST_LINES", 3)
    client, path = client_of("viewer"), "/wallets/paper/verification/"
    assert "its sum was compared" in client.get(path).content.decode()
    with connect_as_owner(measured) as owner:  # two lines that make up for each other
        owner.execute("ALTER TABLE trading.ledger DISABLE TRIGGER USER")
        owner.execute(
            "UPDATE trading.ledger SET amount = amount + CASE sequence WHEN 2 THEN 1 ELSE -1 END "
            "WHERE sequence IN (2, 4)"
        )
        owner.commit()
    page = client.get(path).content.decode()
    assert ("The sums are equal; the lines were not compared." in page, "Nothing differs" in page) == (True, False)
    page = client.get(f"{path}?lines").content.decode()
    assert "ledger that is not what its fill" in page
    assert "its sum was compared" not in page


def test_fees_that_were_paid_in_units_are_summed_too(
    measured: Connection, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are in no sum of money; a line of them without its fill was not seen in a long ledger."""
    monkeypatch.setattr(verification, "MOST_LINES", 3)
    changed = '{"sequence": 1000, "kind": "unit_fee", "reference": "X", "currency": "BTC", "amount": -0.1}'
    with connect_as_owner(measured) as owner:
        owner.execute("ALTER TABLE trading.ledger DISABLE TRIGGER USER")
        owner.execute(
            "INSERT INTO trading.ledger SELECT (jsonb_populate_record(l, %s::jsonb)).* FROM trading.ledger AS l "
            "WHERE kind = 'fee' LIMIT 1",
            [changed],
        )
        owner.commit()
    page = client_of("viewer").get("/wallets/paper/verification/").content.decode()
    assert "It differs." in page
    assert "unit_fees BTC" in page


@pytest.mark.parametrize("ratio", ["10", "1/10", "3/2", "1/3"])
def test_positions_are_recomputed_over_splits_as_they_are_booked(ratio: str, measured: Connection, site: str) -> None:
    between = START + 5 * MINUTE
    for n, at in enumerate((between, between + 2 * timedelta(minutes=1))):
        measured.execute(
            "INSERT INTO trading.movements (wallet, movement_id, kind, currency, amount, occurred_at, recorded_at, "
            "listing_id, ex_date, ratio, units_taken) "
            "VALUES ('paper', %s, 'split', 'USDT', 0, %s, %s, %s, %s, %s, 0.1)",
            [f"S{n}", at, at, BTC, date(2024, 1, 2 + n), ratio],
        )
    measured.commit()
    wallet = load_wallet(measured, "paper")
    expected = booked_positions(load_fills(measured, wallet), read_splits(measured, "paper"))[BTC]
    with snapshot():
        [found] = [row for row in read_comparisons("paper", None) if row.subject == "position"]
    assert found.recomputed == expected.quantity


def test_verify_reads_the_fills_and_the_ledger_of_a_wallet_once(measured: Connection, site: str) -> None:
    """So its time is that of one reading, however many figures are compared."""
    with snapshot():
        newest = read_newest_equity("paper")
    assert newest is not None
    query = sums_query(newest.interval)
    explained = measured.execute(
        f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", {"wallet": "paper", "until": newest.measured_at}
    ).fetchone()
    assert explained is not None
    waiting, scans = [explained[0][0]["Plan"]], Counter[str]()
    while waiting:
        node = waiting.pop()
        scans[node.get("Relation Name", "")] += node["Actual Loops"]
        waiting += node.get("Plans", [])
    assert (scans["fills"], scans["ledger"]) == (1, 1)


def test_a_bot_has_a_win_rate_with_its_interval(measured: Connection, client_of: ClientOf) -> None:
    with snapshot():
        [bot] = read_bots()
    assert (bot.trades, bot.round_trips, bot.won, bot.win_rate) == (5, 1, 1, 1.0)
    # One of one, by Wilson: from 1 / (1 + 1.96^2) to 1.
    assert list(bot.win_interval or ()) == pytest.approx([1 / (1 + 1.959964**2), 1.0])
    page = client_of("viewer").get("/bots/").content.decode()
    assert "20.65" in page


def test_parts_of_a_wallet_that_is_not_there_are_not_there(site: str, client_of: ClientOf) -> None:
    client = client_of("viewer")
    for name in ("nobody", "%00", "<b>"):
        for part in (*PARTS, "round-trips.csv", "returns.csv", "slippage.csv"):
            assert client.get(f"/wallets/{name}/{part}").status_code == 404, (name, part)


def test_a_wallet_that_was_not_measured_says_why_and_shows_no_zero(
    wallet: Wallet, site: str, client_of: ClientOf
) -> None:
    client = client_of("viewer")
    for part, reason in (
        ("performance/", "No result yet. It comes with a run."),
        ("returns/", "No session is measured yet"),
        ("round-trips/", "None: nothing was filled yet"),
        ("comparison/", "No session is measured yet"),
        ("verification/", "Results were not measured yet."),
    ):
        page = client.get(f"/wallets/paper/{part}").content.decode()
        assert reason in page, part
    assert client.get("/wallets/paper/comparison/?listing=11").status_code == 404
    assert "0.00" not in client.get("/wallets/paper/comparison/").content.decode()


def test_results_ask_the_database_at_most_a_dozen_times_and_have_no_script(
    measured: Connection, client_of: ClientOf
) -> None:
    with connect_as_owner(measured) as owner:
        owner.execute("ALTER TABLE signals.decisions DISABLE TRIGGER USER")
        owner.execute("UPDATE records.listings SET symbol = %s WHERE listing_id = 11", [HOSTILE[1]])
        owner.execute("UPDATE trading.wallets SET state = 'halted', state_reason = %s", [HOSTILE[0]])
        owner.commit()
    client = client_of("trader")
    client.get("/")
    for path in PATHS:
        with (
            CaptureQueriesContext(connections["default"]) as own,
            CaptureQueriesContext(connections["layers"]) as layers,
        ):
            page = client.get(path).content.decode()
        queries = [query["sql"] for query in (*own.captured_queries, *layers.captured_queries)]
        queries = [query for query in queries if query not in ("BEGIN", "COMMIT")]
        assert len(queries) <= MOST_QUERIES, "\n".join([path, *queries])
        assert not re.search(r"<script>|\sstyle=|<img", page), path
