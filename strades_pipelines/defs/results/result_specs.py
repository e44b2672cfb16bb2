"""Specs of results: equity curves and statistics of every wallet and listing, beside buy and hold.

They are made in the step that trades: signals, trading and results of a wallet come from one stepping.
"""

import dagster as dg

from strades_pipelines.defs.specs import table_spec
from strades_pipelines.keys import key

TABLES = {
    "equity": "Equity of each wallet at each close, and of buy and hold. Grain: one row a wallet and time.",
    "performance": "Return, risk and cost of each wallet, and of buy and hold. Grain: one row a wallet.",
    "listing_equity": "What each listing brought its wallet. Grain: one row a wallet, listing and UTC day.",
    "listing_performance": "P&L, risk and cost by listing, and of holding it. Grain: one row a wallet and listing.",
    "round_trips": "From a flat position to the next. Grain: one row a wallet and round trip of a listing.",
    "wallet_sessions": "Flows, profit and return of each wallet that trades. Grain: one row a wallet and session.",
    "session_attribution": "Who earned it: strategies and people. Grain: one row a wallet, session, listing and owner.",
    "return_statistics": "Time-weighted and money-weighted return, and how sessions' returns are spread. "
    "Grain: one row a wallet.",
    "growth_bands": "Growth by session between quantiles of a stationary bootstrap. "
    "Grain: one row a wallet and ended session.",
    "fill_slippage": "What fills cost beyond the close that their decisions knew. Grain: one row a fill.",
    "listing_slippage": "The same in sum. Grain: one row a wallet, listing and currency.",
    "daily_parity": "Days of trading wallets beside a replay of them. Grain: one row a wallet and UTC day.",
    "daily_strategy_parity": "The same of strategies that share a wallet. Grain: one row a wallet, day and strategy.",
    "parity_differences": "Decisions and fills of a day that a replay makes otherwise, each with its cause: "
    "data, late_correction, latency, fill_model, fee, split, code, strategy_fault or bug. "
    "Grain: one row a wallet, day and decision, order or strategy.",
    "parity": "Replayed wallets beside `strades backtest` in another process. Grain: one row a wallet.",
}
DEPS = [key("trading", "fills"), key("signals", "decisions")]


def result_specs() -> list[dg.AssetSpec]:
    """The specs of the results layer; a function, since Dagster takes a module's specs for assets of their own."""
    return [
        table_spec("results", entity, text, kinds={"numpy", "postgres"}, deps=DEPS, skippable=True)
        for entity, text in TABLES.items()
    ]
