"""Wallets.json: who trades what, how, and with how much. A bad file is refused in one line, with the key's path."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from strades_pipelines.market.ledger import plain
from strades_pipelines.market.rounding import exact
from strades_pipelines.settings import settings
from strades_pipelines.strategy.registry import create
from strades_pipelines.strategy.strategy import Strategy

SCHEMA = Path(__file__).with_name("wallets.schema.json")
EXPECTED = {"enum": "one of", "type": "a", "required": "the keys", "pattern": "the form", "minimum": "at least"}


class WalletsError(ValueError):
    """Wallets.json, or a wallet in it, cannot be used."""


@dataclass(frozen=True)
class WalletTemplate:
    """A wallet as its owner wrote it. A replay template makes a new wallet for each window and state of its inputs."""

    name: str
    mode: str
    strategy: str
    parameters: Mapping[str, Any]
    instruments: tuple[str, ...]
    interval: str
    currency: str
    cash: Decimal
    fee_rate: Decimal
    max_age: timedelta
    opened_at: datetime | None

    def new_strategy(self) -> Strategy:
        """A fresh instance of the strategy."""
        return create(self.strategy, dict(self.parameters))

    def check(self) -> None:
        """Refuse what stops this wallet alone, when its turn comes; the file is good for its neighbours.

        Raises:
            WalletsError: when it cannot trade.
        """
        try:
            self.new_strategy()
        except ValueError as error:
            raise WalletsError(str(error)) from None
        if self.cash <= 0:
            raise WalletsError(f"cash: expected more than 0 {self.currency} to trade with, was {plain(self.cash)}")


def read_wallets(path: Path) -> list[WalletTemplate]:
    """The wallets of a file, in its order; each is still to be checked.

    Raises:
        WalletsError: in one line: the file, the path of the key, what was expected, what was found.
    """
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise WalletsError(f"{path.name}: expected a JSON file, was unreadable: {error}") from None
    _check_shape(path.name, document)
    templates: list[WalletTemplate] = []
    for i, entry in enumerate(document["wallets"]):
        template = _template(f"{path.name}: wallets[{i}]", entry)
        if template.name in {other.name for other in templates}:
            raise WalletsError(f"{path.name}: wallets[{i}].name: expected a new name, was {template.name!r} again")
        templates.append(template)
    return templates


def _check_shape(file: str, document: object) -> None:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    error = best_match(Draft202012Validator(json.loads(SCHEMA.read_text())).iter_errors(document))
    if error is None:
        return
    message = error.message
    if error.validator in EXPECTED:
        found = sorted(error.instance) if isinstance(error.instance, dict) else error.instance
        message = f"expected {EXPECTED[error.validator]} {error.validator_value}, was {found!r}"
    raise WalletsError(f"{file}: {error.json_path.removeprefix('$').lstrip('.') or 'document'}: {message}")


def _template(where: str, entry: dict[str, Any]) -> WalletTemplate:
    opened_at = entry.get("opened_at")
    template = WalletTemplate(
        name=entry["name"],
        mode=entry["mode"],
        strategy=entry["strategy"],
        parameters=entry.get("parameters", {}),
        instruments=tuple(entry["instruments"]),
        interval=entry["interval"],
        currency=entry["currency"],
        cash=exact(entry["cash"]),
        fee_rate=exact(entry.get("fee_percent", 0)) / 100,
        max_age=timedelta(minutes=entry.get("max_decision_age_minutes", 15)),
        opened_at=_instant(f"{where}.opened_at", opened_at) if opened_at else None,
    )
    if template.mode == "live":
        _refuse_live(where, entry)
    return template


def _refuse_live(where: str, entry: dict[str, Any]) -> None:
    """Live trading needs two confirmations, and a broker."""
    if not settings().live_trading:
        raise WalletsError(f"{where}.mode: live needs STRADES_LIVE_TRADING=true, was not set; use paper")
    if entry.get("confirm_live") != entry["name"]:
        raise WalletsError(f"{where}.confirm_live: expected {entry['name']!r}, was {entry.get('confirm_live')!r}")
    raise WalletsError(f"{where}.mode: there is no live broker yet; expected replay or paper, was 'live'")


def _instant(where: str, text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise ValueError("it has no offset")
    except ValueError as error:
        raise WalletsError(f"{where}: expected ISO 8601 with an offset, was {text!r} ({error})") from None
    return time


def of_mode(templates: Iterable[WalletTemplate], mode: str) -> list[WalletTemplate]:
    """The templates of one mode."""
    return [template for template in templates if template.mode == mode]
