"""The step that trades, in Dagster: a wallet that fails says why and stops nobody else."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import dagster as dg
import pytest

from strades_pipelines.brokerage.trading_context import read_context
from strades_pipelines.brokerage.wallets import WalletTemplate
from strades_pipelines.defs.trading import assets
from strades_pipelines.defs.trading.reported_changes import CHANGES, has_news
from strades_pipelines.defs.trading.trading_checks import SPECS as CHECK_SPECS
from strades_pipelines.keys import key
from strades_pipelines.operations.trading import show_context
from strades_pipelines.resources.database import Database
from strades_pipelines.settings import settings
from strades_pipelines.strategy import registry
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.strategy import Strategy
from tests.brokerage.conftest import BTC, PAPER, REPLAY, START, AddCandles, Connection, rows
from tests.brokerage.test_model_trust import predict
from tests.brokerage.test_sleeves import SHARED, SLOW, TREND
from tests.brokerage.wallet_files import write_wallets
from tests.dying import die_at

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")
CLOSES = [100.0, 101.0, 99.0, 98.0, 102.0, 103.0]
WINDOW = {"from_date": f"{START:%Y-%m-%d}", "to_date": f"{START + timedelta(days=1):%Y-%m-%d}"}


class Broken(Strategy):
    """Raises on its first bar."""

    name: ClassVar[str] = "broken"

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        raise ZeroDivisionError("gone")


@pytest.fixture
def trade(
    add_candles: AddCandles,
    market: Connection,
    database_url: str,
    tmp_path: Path,
    give_settings: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """Trades the given wallets over six minutes, as Wallets.json lists them."""
    add_candles(CLOSES)
    predict(market, [0.01])
    monkeypatch.setitem(registry.strategies(), Broken.name, Broken)
    path = tmp_path / "Wallets.json"
    give_settings(wallets=str(path))

    def run(*templates: WalletTemplate, instance: dg.DagsterInstance | None = None) -> dg.ExecuteInProcessResult:
        if templates:
            write_wallets(path, *templates)
        return dg.materialize(
            [assets.trading],
            resources={"database": Database(url=database_url)},
            run_config={"ops": {"trading": {"config": WINDOW}}},
            raise_on_error=False,
            instance=instance or dg.DagsterInstance.ephemeral(),
        )

    return run


def failure(result: dg.ExecuteInProcessResult) -> str:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    data = event.step_failure_data.user_failure_data
    assert data is not None
    return str(data.description)


def test_each_bad_wallet_says_why_and_its_neighbours_are_traded_and_measured(trade: Any, market: Connection) -> None:
    result = trade(
        replace(REPLAY, name="raising", strategy="broken", parameters={}),
        replace(REPLAY, name="unknown", strategy="hodl"),
        replace(REPLAY, name="misspelt", parameters={"fsat": 1}),
        replace(REPLAY, name="poor", cash=Decimal(0)),
        replace(REPLAY, name="lost", instruments=("gateio:NOBODY",)),
        replace(REPLAY, name="faithful", strategy="follow_prediction", parameters={"model": "oracle"}),
        replace(PAPER, name="open_and_poor", cash=Decimal(0)),
        replace(PAPER, name="open_and_misspelt", parameters={"fsat": 1}),
        REPLAY,
        PAPER,
    )
    assert not result.success
    raising, unknown, *others = failure(result).split("; ")
    assert unknown.startswith("wallet unknown: strategy: expected one of adx_trend, ")
    assert [raising, *others] == [
        "wallet raising: strategy broken at 2024-01-02T00:01:00+00:00: ZeroDivisionError: gone",
        "wallet misspelt: sma_cross: parameter fsat: expected one of fast, slow, size",
        "wallet poor: cash: expected more than 0 USDT to trade with, was 0",
        "wallet lost: instruments: expected a listing that a source of Sources.json fetches, was 'gateio:NOBODY'",
        "wallet faithful: model: expected one that makes forecasts (ridge), was 'oracle'",
        "wallet open_and_poor: cash: expected more than 0 USDT to trade with, was 0",
        "wallet open_and_misspelt: sma_cross: parameter fsat: expected one of fast, slow, size",
    ]
    measured = rows(market, "SELECT split_part(wallet, '@', 1) FROM results.performance ORDER BY 1")
    assert [name for (name,) in measured] == ["paper", "replayed"]


def test_a_wallet_whose_strategy_fails_is_executed_and_measured(
    add_candles: AddCandles, market: Connection, database_url: str, give_settings: Callable[..., None]
) -> None:
    """Of several and of one: an order that was sent before is filled, and what it bought has a value."""
    add_candles([100.0 + minute for minute in range(10)])
    alone = replace(PAPER, name="alone", parameters={"fast": 1, "slow": 2, "size": 1.0})

    def trade_at(minute: int, *templates: WalletTemplate) -> dict[str, str]:
        give_settings(sandbox_now=(START + timedelta(minutes=minute)).isoformat())
        config, layers = assets.TradeConfig.model_validate(WINDOW), {"signals", "trading", "results"}
        return assets._trade(templates, None, config, Database(url=database_url), layers)

    assert trade_at(2, SHARED, alone) == {}
    sent = rows(market, "SELECT wallet, state FROM trading.orders ORDER BY 1")
    assert sent == [("alone", "accepted"), ("paper", "accepted")]
    market.execute("UPDATE trading.wallets SET parameters = '{\"fast\": \"x\"}' WHERE wallet = 'alone'")
    market.commit()
    spoilt = replace(SHARED, sleeves=(TREND, replace(SLOW, parameters={"fast": "x"})))
    errors = trade_at(8, spoilt, replace(alone, parameters={"fast": "x"}))
    assert {name: error.partition(":")[0] for name, error in errors.items()} == {
        "alone": "sma_cross",
        "paper": "strategy slow",
    }
    assert rows(market, "SELECT DISTINCT wallet, state FROM trading.orders ORDER BY 1") == [
        ("alone", "filled"),
        ("paper", "filled"),
    ]
    measured = rows(market, "SELECT wallet, holdings FROM results.equity WHERE time = '2024-01-02 00:08+0' ORDER BY 1")
    assert measured == [("alone", 107.0), ("paper", 214.0)]


FILE = """{"wallets": [
    {"name": "nan", %(good)s, "cash": NaN},
    {"name": "twice", %(good)s, "cash": 1, "cash": 2},
    {"name": "deep", %(good)s, "cash": 1, "parameters": {"fast": %(deep)s}},
    {"name": "digits", %(good)s, "cash": 1%(zeros)s},
    {"name": "huge", %(good)s, "cash": 1e999999999999999999999},
    {"name": "good", %(good)s, "cash": 1000, "fee_percent": 0.1, "parameters": {"fast": 1, "slow": 2, "size": 2.0}},
    {"name": "good", %(good)s, "cash": 2000},
    17
]}"""


def test_a_faulty_entry_of_the_file_stops_its_own_wallet_and_no_other(
    trade: Any, market: Connection, tmp_path: Path
) -> None:
    good = """
        "mode": "paper", "strategy": "sma_cross", "instruments": ["gateio:BTC_USDT"], "interval": "1m",
        "currency": "USDT", "opened_at": "2024-01-02T00:00:00Z"
    """
    text = FILE % {"good": good, "deep": "[" * 100 + "]" * 100, "zeros": "0" * 5000}
    (tmp_path / "Wallets.json").write_text(text)
    result = trade()
    lines = failure(result).split("; ")
    assert lines[0] == "wallet nan: Wallets.json: wallets[0].cash: expected a JSON number, was the bare word NaN"
    assert lines[1] == "wallet wallets[1]: Wallets.json: wallets[1].cash: expected each key once, was repeated"
    assert lines[2].startswith("wallet deep: Wallets.json: wallets[2].parameters.fast[0]")
    assert lines[3].startswith("wallet digits: Wallets.json: wallets[3].cash: expected integers of at most 4300 digits")
    assert lines[4].startswith("wallet huge: Wallets.json: wallets[4].cash: expected a number with a smaller exponent")
    assert lines[5] == "wallet wallets[6]: Wallets.json: wallets[6].name: expected a new name, was 'good' again"
    assert lines[6].startswith("wallet wallets[7]: Wallets.json: wallets[7]: expected object, was 17")
    assert rows(market, "SELECT wallet FROM trading.wallets WHERE mode = 'paper'") == [("good",)]
    assert rows(market, "SELECT DISTINCT wallet FROM signals.decisions") == [("good",)]


def test_every_check_passes_on_what_was_traded_and_backtest_gives_the_same_fills(
    trade: Any, market: Connection
) -> None:
    result = trade(REPLAY, PAPER)
    assert result.success
    checks = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert len(checks) == len(CHECK_SPECS) == 10
    assert all(checks.values()), checks
    # In another process, over exported parquet.
    found = rows(market, "SELECT replay_fills, backtest_fills, differing, detail FROM results.parity")
    assert found == [(3, 3, 0, "the same fills")]


def records(result: dg.ExecuteInProcessResult, layer: str, entity: str, entry: str) -> list[Any]:
    """The rows that the materialization of an asset shows."""
    (made,) = [
        event.step_materialization_data.materialization
        for event in result.all_events
        if event.is_step_materialization and event.asset_key == key(layer, entity)
    ]
    shown = made.metadata[entry]
    assert isinstance(shown, dg.TableMetadataValue)
    return [record.data for record in shown.records]


def test_the_fills_of_each_wallet_are_shown_newest_first(trade: Any, market: Connection) -> None:
    found = records(trade(REPLAY, PAPER), "trading", "fills", "newest")
    assert [fill["wallet"] for fill in found] == sorted(fill["wallet"] for fill in found)
    replayed = [(fill["side"], float(fill["price"]), fill["symbol"]) for fill in found if fill["wallet"] == "replayed"]
    stored = "SELECT side, price, symbol FROM trading.fills JOIN records.listings USING (listing_id)"
    wanted = rows(market, f"{stored} WHERE wallet LIKE 'replayed@%' ORDER BY filled_at DESC")
    assert replayed == [(side, float(price), symbol) for side, price, symbol in wanted]
    assert len(replayed) == 3


def test_after_a_change_and_back_again_the_last_replay_is_the_one_that_counts(trade: Any, market: Connection) -> None:
    changed = replace(REPLAY, parameters={"fast": 1, "slow": 3})
    current = "SELECT wallet FROM results.current_wallets"
    replayed = []
    for template in (REPLAY, changed, REPLAY):
        (performance,) = records(trade(template), "results", "performance", "wallets")
        ((wallet,),) = rows(market, current)
        assert performance["fills"] == len(rows(market, f"SELECT FROM trading.fills WHERE wallet = '{wallet}'"))
        replayed.append(wallet)
    assert replayed[0] == replayed[2] != replayed[1]


def test_fills_that_only_one_of_the_two_has_fail_the_check(trade: Any, market: Connection) -> None:
    """Of a wallet that was compared before, one fill is changed where it is stored, and it is compared again."""
    assert trade(REPLAY).success
    market.execute("ALTER TABLE trading.fills DISABLE TRIGGER USER")
    market.execute("UPDATE trading.fills SET price = 100 WHERE price = 101")
    market.execute("DELETE FROM results.parity")
    market.commit()
    failed = {check.check_name for check in trade(REPLAY).get_asset_check_evaluations() if not check.passed}
    assert "backtest_gives_the_same_fills" in failed
    found = rows(market, "SELECT replay_fills, backtest_fills, differing, detail FROM results.parity")
    only_stored = "only the replay has 2024-01-02T00:02:00Z gateio:BTC_USDT buy 2 100 0.20200000"
    assert found == [(3, 3, 2, only_stored)]


def test_a_difference_that_nothing_explains_fails_the_check_for_a_week(trade: Any, market: Connection) -> None:
    trade(PAPER)
    # Seven days before today were compared: nothing was decided on them.
    assert rows(market, "SELECT sum(decisions), sum(fills), count(*) FROM results.daily_parity") == [(0, 0, 7)]
    market.execute(
        """
        INSERT INTO results.parity_differences
        SELECT wallet, day, 'decision', 'X', %s, now(), %s, 'target 1', 'nothing' FROM results.daily_parity
        ORDER BY day LIMIT 1
        """,
        [BTC, "late_correction"],
    )
    market.commit()
    for cause, failed in (("late_correction", set()), ("bug", {"every_difference_has_a_cause"})):
        market.execute("UPDATE results.parity_differences SET cause = %s", [cause])
        market.commit()
        result = trade(PAPER)
        assert {one.check_name for one in result.get_asset_check_evaluations() if not one.passed} == failed


def test_the_report_of_the_asset_is_that_of_the_code_and_of_the_command(
    trade: Any, market: Connection, own_world: str, capsys: pytest.CaptureFixture[str]
) -> None:
    result = trade(PAPER)
    market.rollback()
    by_code = read_context(market, now=settings().now())
    capsys.readouterr()
    show_context(fills=100, as_json=True)  # `strades context --json`
    by_command = json.loads(capsys.readouterr().out)
    [(stored_hash, document)] = rows(market, "SELECT content_hash, document FROM trading.contexts")
    [shown] = records(result, "trading", "contexts", "newest")
    assert shown["content_hash"] == stored_hash == by_code.content_hash == by_command["content_hash"]
    expected = by_code.document()
    for found in (document, by_command):
        assert found.pop("as_of")
        assert found == {name: value for name, value in expected.items() if name != "as_of"}
    # The hash is that of what it stands beside, worked out here again.
    content = {name: value for name, value in document.items() if name != "content_hash"}
    text = json.dumps(content, sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest() == stored_hash


def test_a_report_that_says_the_same_is_kept_once(trade: Any, market: Connection) -> None:
    trade(PAPER)
    trade(PAPER)
    assert rows(market, "SELECT count(*) FROM trading.contexts") == [(1,)]
    market.execute("UPDATE trading.cash SET balance = balance + 1")
    market.commit()
    trade(PAPER)
    assert rows(market, "SELECT count(DISTINCT content_hash) FROM trading.contexts") == [(2,)]


def test_an_edited_ledger_stops_what_comes_after_the_trade(trade: Any, market: Connection) -> None:
    trade(PAPER)
    market.execute("ALTER TABLE trading.ledger DISABLE TRIGGER append_only")
    market.execute("UPDATE trading.ledger SET amount = amount + 1")
    market.commit()
    result = trade(PAPER)
    assert not result.success
    failed = {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}
    assert failed == {"hash_chain_is_unbroken", "cash_is_the_sum_of_the_ledger"}


def test_a_frame_that_is_no_bars_is_not_handed_on(trade: Any, market: Connection) -> None:
    market.execute("UPDATE records.candles SET volume = -1 WHERE close = 98 AND listing_id = %s", [BTC])
    market.commit()
    result = trade(REPLAY)
    assert not result.success
    assert "gateio:BTC_USDT: expected a frame of type Bars: " in failure(result)
    assert "volume" in failure(result)
    assert result.asset_materializations_for_node("trading")
    assert rows(market, "SELECT count(*) FROM results.parity") == [(0,)]


def test_nothing_trades_behind_a_blocking_check_that_failed(trade: Any, market: Connection, database_url: str) -> None:
    @dg.asset(key=key("cleaned", "daily_bars"))
    def bars() -> None: ...

    @dg.asset_check(asset=bars, blocking=True)
    def rows_are_right() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False)

    trade(PAPER)
    before = rows(market, "SELECT count(*) FROM signals.decisions")
    market.execute("DELETE FROM trading.refusals")
    market.execute("DELETE FROM signals.decisions WHERE decision_id NOT IN (SELECT decision_id FROM trading.intents)")
    market.commit()
    job = dg.Definitions(
        assets=[bars, assets.trading],
        asset_checks=[rows_are_right],
        resources={"database": Database(url=database_url)},
        executor=dg.in_process_executor,
    ).resolve_implicit_global_asset_job_def()
    left = rows(market, "SELECT count(*) FROM signals.decisions")
    result = job.execute_in_process(instance=dg.DagsterInstance.ephemeral(), raise_on_error=False)
    assert not result.success
    assert rows(market, "SELECT count(*) FROM signals.decisions") == left
    assert before != [(0,)]


def test_a_comparison_that_was_not_committed_is_made_again(trade: Any, market: Connection) -> None:
    with die_at("results.parity_written"):
        assert not trade(REPLAY).success
    assert rows(market, "SELECT count(*) FROM results.parity") == [(0,)]
    trade(REPLAY)
    assert rows(market, "SELECT count(*) FROM results.parity") == [(1,)]


def test_a_venue_that_disagrees_halts_its_wallet_shows_the_finding_and_fails_the_check(
    trade: Any, market: Connection
) -> None:
    trade(PAPER)
    market.execute(
        "INSERT INTO trading.paper_venue_accounts (account, cash) VALUES ('paper', 900)"
    )  # it opened with 1000
    market.execute("DELETE FROM trading.reconciliations")  # it is due again
    market.commit()
    result = trade(PAPER)
    failed = [check.check_name for check in result.get_asset_check_evaluations() if not check.passed]
    assert failed == ["no_finding_stands"]
    [found] = records(result, "trading", "findings", "newest")
    assert (found["code"], found["wallets"]) == ("cash_short", "['paper']")
    assert rows(market, "SELECT state FROM trading.wallets") == [("halted",)]


def test_of_tables_without_news_dagster_is_told_only_what_other_steps_wait_for(
    trade: Any, market: Connection, add_candles: AddCandles
) -> None:
    rewritten = {
        key("results", "wallet_sessions"),
        key("results", "session_attribution"),
        key("results", "return_statistics"),
    }  # the open session, each time

    def told(result: dg.ExecuteInProcessResult) -> set[dg.AssetKey]:
        assert result.success
        return {event.asset_key for event in result.get_asset_materialization_events() if event.asset_key}

    with dg.DagsterInstance.ephemeral() as instance:
        first = told(trade(PAPER, instance=instance))
        assert first == {spec.key for spec in assets.SPECS}
        told(trade(PAPER, instance=instance))  # it settles what the first one has sent
        assert told(trade(PAPER, instance=instance)) - rewritten == assets.FOLLOWED - rewritten
        market.execute("UPDATE trading.cash SET updated_at = updated_at + interval '1 second'")
        market.execute("SELECT pg_stat_force_next_flush()")
        market.commit()
        assert (
            told(trade(PAPER, instance=instance)) - rewritten
            == (assets.FOLLOWED | {key("trading", "cash")}) - rewritten
        )
        add_candles([104.0, 90.0, 80.0], start=START + timedelta(minutes=len(CLOSES)))
        assert key("results", "listing_equity") in told(trade(PAPER, instance=instance))


def test_an_asset_is_told_of_once_a_day_whatever_changes() -> None:
    fills, now = key("trading", "fills"), datetime.now(UTC)
    with dg.DagsterInstance.ephemeral() as instance:
        assert has_news(instance, fills, 7, now)
        instance.report_runless_asset_event(dg.AssetMaterialization(fills, metadata={CHANGES: 7}))
        assert not has_news(instance, fills, 7, now)
        assert has_news(instance, fills, 8, now)
        assert has_news(instance, fills, 0, now)  # PostgreSQL has crashed, and counts anew
        assert has_news(instance, fills, None, now)
        assert has_news(instance, fills, 7, now + timedelta(days=2))  # whatever the report took to be stored
