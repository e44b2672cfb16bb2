"""Decisions, orders, fills and results: one stepping of each strategy, and one way to execute what it decided."""

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from pydantic import Field, field_validator

from strades_pipelines.brokerage.daily_parity import write_daily_parity
from strades_pipelines.brokerage.history import measure_history
from strades_pipelines.brokerage.live import decide, for_each, join_errors, measure
from strades_pipelines.brokerage.portfolio import is_open, load_wallet
from strades_pipelines.brokerage.reconcile import execute_reconciled
from strades_pipelines.brokerage.replay import replay
from strades_pipelines.brokerage.replay_sleeves import replay_several
from strades_pipelines.brokerage.retirement import retire_unlisted
from strades_pipelines.brokerage.trading_context import record_context
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.brokerage.wallets import MODES, WalletTemplate, read_wallets
from strades_pipelines.defs.results.result_specs import result_specs
from strades_pipelines.defs.specs import counts, table_spec
from strades_pipelines.defs.trading.parity_assets import compare_new_wallet
from strades_pipelines.defs.trading.previews import preview
from strades_pipelines.defs.trading.reported_changes import CHANGES, FLUSH, count_changes, has_news
from strades_pipelines.defs.trading.trading_checks import SPECS as CHECKS
from strades_pipelines.defs.trading.trading_checks import evaluate
from strades_pipelines.keys import key
from strades_pipelines.partitions import Day, day_start
from strades_pipelines.resources.database import Database
from strades_pipelines.resources.dbt import ensure_clean_bars
from strades_pipelines.settings import settings

EXECUTE_JOB_NAME = "execute_trades_job"  # see `execution_job`
DECISIONS, CONTEXTS = key("signals", "decisions"), key("trading", "contexts")
TABLES = {
    "wallets": "Who trades what, how, and since when. Grain: one row a wallet.",
    "replays": "Which wallet the last replay of a template over a window was. Grain: one row a template and window.",
    "refusals": "Decisions that never become an order, and why. Grain: one row a decision.",
    "intents": "Orders meant, committed before anything is sent. Grain: one row a decision and leg.",
    "orders": "What became of each intent at its broker. Grain: one row an intent.",
    "fills": "Executions; append-only. Grain: one row a fill.",
    "positions": "What each wallet holds now. Grain: one row a wallet and listing.",
    "movements": "Cash that no fill moved: deposits, transfers, dividends. Grain: one row a wallet and movement.",
    "statements": "Files with a person's own trades and cash. Grain: one row a wallet and file.",
    "cash": "What each wallet has now. Grain: one row a wallet and currency.",
    "contexts": "The report of all that is traded, each time it says something new. Grain: one row a report.",
    "ledger": "Every change of cash, hash-chained and append-only. Grain: one row a wallet and sequence.",
    "findings": "Where a venue and our books differ, until a person has settled it. Grain: one row a difference.",
}
SPECS = [
    table_spec(
        "signals",
        "decisions",
        "What the strategies decided, with the inputs they read and the reason. Grain: one row a decision.",
        kinds={"python", "postgres"},
        deps=[
            key("cleaned", "daily_bars"),
            key("records", "candles"),
            key("predictions", "forecasts"),
            key("predictions", "standings"),
        ],
        skippable=True,
    ),
    *(
        table_spec("trading", entity, text, kinds={"python", "postgres"}, deps=[DECISIONS], skippable=True)
        for entity, text in TABLES.items()
    ),
    *result_specs(),
]
# What other steps read: they are skipped where one of these is not told of.
FOLLOWED = frozenset(
    {
        key("results", "equity"),
        key("results", "performance"),
        key("results", "session_attribution"),
        key("results", "wallet_sessions"),
        key("signals", "decisions"),
        key("trading", "fills"),
        key("trading", "intents"),
        key("trading", "orders"),
        key("trading", "refusals"),
        key("trading", "wallets"),
    }
)


class TradeConfig(dg.Config):
    """Which wallets, and over which window those of mode `replay` are stepped: [from_date, to_date), ISO dates, UTC."""

    modes: list[str] = Field(default_factory=lambda: list(MODES))
    from_date: Day = str(settings().window_from)
    to_date: Day = str(settings().window_to)

    @field_validator("modes")
    @classmethod
    def _are_known(cls, modes: list[str]) -> list[str]:
        if unknown := set(modes) - set(MODES):
            raise ValueError(f"expected {', '.join(MODES)}, was {', '.join(sorted(unknown))}")
        return modes


@dg.multi_asset(name="trading", specs=SPECS, check_specs=CHECKS, can_subset=True, pool="broker")
def trading(
    context: dg.AssetExecutionContext, config: TradeConfig, database: Database
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Step the strategies of wallets, execute waiting orders, compute results: the parts that are selected."""
    selected = context.selected_asset_keys
    layers = {asset.path[0] for asset in selected}
    file = read_wallets(settings().wallets)
    wallets = file.of_modes(config.modes)
    errors = {fault.wallet: fault.message for fault in wallets.faults}
    ensure_clean_bars(database.location())
    errors |= _trade(wallets.templates, file.listed, config, database, layers)
    with database.connect() as connection:
        if CONTEXTS in selected:
            record_context(connection, now=settings().now(), run_id=context.run_id)
        changes = count_changes(connection, selected)
        followed = frozenset() if context.job_name == EXECUTE_JOB_NAME else FOLLOWED
        for asset in (spec.key for spec in SPECS if spec.key in selected):
            if asset in followed or has_news(context.instance, asset, changes.get(asset), datetime.now(UTC)):
                more = {**preview(connection, asset), CHANGES: changes.get(asset, 0)}
                yield dg.MaterializeResult(asset_key=asset, metadata=counts(connection, asset, **more))
        yield from evaluate(connection, lambda check: check in context.selected_asset_check_keys)
    if errors:
        lines = [f"wallet {wallet}: {error}" for wallet, error in errors.items()]
        raise dg.Failure("; ".join(lines), metadata=dict(errors), allow_retries=False)


def _trade(
    templates: Sequence[WalletTemplate],
    listed: Collection[str] | None,
    config: TradeConfig,
    database: Database,
    layers: set[str],
) -> dict[str, str]:
    """Work through the wallets one by one, then retire those that are not `listed`; returns what stopped some of them.

    Args:
        listed: the names in Wallets.json; None where it cannot be told whose entry one is, and nothing is retired.
    """
    by_name = {template.name: template for template in templates}
    start, end = day_start(config.from_date), day_start(config.to_date)
    replayed: list[tuple[WalletTemplate, str]] = []

    with database.connect() as connection, database.connect() as at_venue, database.adbc() as adbc:

        def decide_or_replay(name: str) -> None:
            template, now = by_name[name], settings().now()
            if template.mode == "replay":
                if "signals" in layers:
                    work = replay_several if template.sleeves else replay
                    wallet = work(adbc, template, start=start, end=end, now=now).wallet
                    # `strades backtest` has one strategy.
                    replayed.extend([(template, wallet)] if wallet and not template.sleeves else [])
                return
            open_wallet(connection, template, now=now)
            if "signals" in layers:
                decide(connection, adbc, name, now=now, faults=template.strategy_faults())

        def value(name: str) -> None:
            measure(connection, adbc, name, now=settings().now())
            measure_history(connection, load_wallet(connection, name), now=settings().now())

        def examine(name: str) -> None:
            write_daily_parity(connection, adbc, name, now=settings().now())

        def compare(_: str) -> None:
            compare_new_wallet(connection, adbc, replayed, start=start, end=end, now=settings().now())

        def settle(name: str) -> None:
            execute_reconciled(connection, at_venue, name, now=settings().now())

        used = connection, at_venue, adbc
        # What is under way goes on, and what is held is measured, also where nothing can be decided.
        steps = (("trading", settle), ("results", value), ("results", examine))
        errors: dict[str, str] = {}
        for name, template in by_name.items():
            errors = join_errors(errors, for_each([name], decide_or_replay, used)[1])
            is_trading = template.mode != "replay" and is_open(connection, name)
            for step in (step for layer, step in steps if is_trading and layer in layers):
                errors = join_errors(errors, for_each([name], step, used)[1])
        if "trading" in layers and listed is not None:
            errors |= for_each(retire_unlisted(connection, listed, config.modes), settle, used)[1]
        if "results" in layers:
            errors |= for_each([wallet for _, wallet in replayed[:1]], compare, used)[1]
        for ours in (connection, at_venue):
            ours.execute(FLUSH)
            ours.commit()
        with adbc.cursor() as cursor:
            cursor.execute(FLUSH)
        adbc.commit()
        return errors


def defs() -> dg.Definitions:
    """The signals, trading and results layers."""
    return dg.Definitions(assets=[trading])
