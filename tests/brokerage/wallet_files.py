"""Wallets.json as its owner would write it, from templates."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from strades_pipelines.brokerage.wallets import SleeveTemplate, WalletTemplate


def write_wallets(path: Path, *templates: WalletTemplate) -> None:
    """Write a file of these wallets, without limits."""
    path.write_text(json.dumps({"wallets": [_entry(template) for template in templates]}))


def _entry(template: WalletTemplate) -> Mapping[str, Any]:
    entry = {
        "name": template.name,
        "mode": template.mode,
        "broker": template.broker,
        "instruments": template.instruments,
        "interval": template.interval,
        "currency": template.currency,
        "cash": float(template.cash),
        "fee_percent": float(100 * template.fee_rate),
        "max_decision_age_minutes": template.max_age.total_seconds() / 60,
    }
    if template.sleeves:
        entry |= {"strategies": [{"name": one.name, **_strategy(one)} for one in template.sleeves]}
    else:
        entry |= _strategy(template)
    if template.every:
        entry |= {"every": template.every}
    if template.opened_at is not None:
        entry |= {"opened_at": template.opened_at.isoformat()}
    if template.mode == "live":
        entry |= {"confirm_live": template.name}
    return entry


def _strategy(owner: WalletTemplate | SleeveTemplate) -> dict[str, Any]:
    entry: dict[str, Any] = {"strategy": owner.strategy, "parameters": dict(owner.parameters)}
    if isinstance(owner, SleeveTemplate):
        entry |= {"instruments": owner.instruments, "capital_percent": float(owner.capital_percent)}
    return entry
