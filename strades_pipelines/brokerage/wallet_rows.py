"""The rows of trading.wallets and trading.sleeves that a template makes."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

from strades_pipelines.brokerage.trading_code import trading_code
from strades_pipelines.brokerage.trading_rows import Row, to_json
from strades_pipelines.brokerage.wallets import SleeveTemplate, WalletTemplate
from strades_pipelines.market.ledger_chain import plain


def wallet_row(
    template: WalletTemplate, wallet: str, *, opened_at: datetime, window_end: datetime | None, as_of: datetime | None
) -> Row:
    """The row of trading.wallets that a template makes."""
    strategy = template.new_strategy()
    return {
        "wallet": wallet,
        "mode": template.mode,
        "broker": "replay" if template.mode == "replay" else template.broker,
        "strategy": template.strategy,
        "parameters": to_json(strategy.parameters),
        "instruments": _text_array(template.instruments),
        "interval": template.interval,
        "every": template.every,
        "code_hash": template_code(template),
        "currency": template.currency,
        "opening_cash": plain(template.cash),
        "fee_rate": plain(template.fee_rate),
        "opened_at": opened_at,
        "window_end": window_end,
        "as_of": as_of,
        "max_decision_age": f"{template.max_age.total_seconds()} seconds",
        "limits": to_json(template.limits.written),
    }


def template_code(template: WalletTemplate) -> str:
    """The hash of the code behind a template: of its strategy, or of all of its sleeves."""
    if not template.sleeves:
        return trading_code(template.new_strategy())
    return combined_hash(trading_code(one.new_strategy()) for one in template.sleeves)


def combined_hash(hashes: Iterable[str]) -> str:
    """One hash of several, in whatever order."""
    return hashlib.sha256("".join(sorted(hashes)).encode()).hexdigest()


def sleeve_row(wallet: str, template: SleeveTemplate, *, opened_at: datetime) -> Row:
    """The row of trading.sleeves that a template makes."""
    strategy = template.new_strategy()
    return {
        "wallet": wallet,
        "sleeve": template.name,
        "strategy": template.strategy,
        "parameters": to_json(strategy.parameters),
        "instruments": _text_array(template.instruments),
        "capital_percent": plain(template.capital_percent),
        "code_hash": trading_code(strategy),
        "opened_at": opened_at,
    }


def _text_array(names: Sequence[str]) -> str:
    return "{" + ",".join(f'"{name}"' for name in names) + "}"
