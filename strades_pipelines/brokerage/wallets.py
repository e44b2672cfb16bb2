"""Wallets.json: who trades what, and with how much. A bad entry stops its wallet: one line with the key's path."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from strades_pipelines.brokerage.sleeves import RESERVED_NAMES, SEVERAL
from strades_pipelines.datamanager.checked_json import ROOT, CheckError, check, read_entries
from strades_pipelines.market.ledger_chain import plain
from strades_pipelines.market.rounding import EXACT, exact
from strades_pipelines.market.wallet_limits import WalletLimits, parse_limits
from strades_pipelines.settings import settings
from strades_pipelines.strategy.registry import create
from strades_pipelines.strategy.strategy import Strategy

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
MODES = ("replay", "paper", "live")
FIRST_OPENING, LAST_OPENING = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)  # the shortest age the database keeps


class WalletsError(ValueError):
    """Wallets.json, or a wallet in it, cannot be used."""


@dataclass(frozen=True)
class SleeveTemplate:
    """One of several strategies of a wallet, as its owner wrote it: `capital_percent` is its part of the capital."""

    name: str
    strategy: str
    parameters: Mapping[str, Any]
    instruments: tuple[str, ...]
    capital_percent: Decimal

    def new_strategy(self) -> Strategy:
        """A fresh instance of the strategy."""
        return create(self.strategy, dict(self.parameters))


@dataclass(frozen=True)
class WalletTemplate:
    """A wallet as its owner wrote it. A replay template makes a new wallet for each window and state of its inputs.

    Args:
        strategy: SEVERAL where it has `sleeves`, which have the strategies then.
        every: what fills the bars that its strategies hear, made of trades (500ticks, 100volume, 1000000notional);
            empty: they hear those of `interval`.
        dead_man_seconds: how long its venue waits for `strades trade` before it cancels the account's open orders; None
            for ever.
    """

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
    broker: str = "paper"
    limits: WalletLimits = field(default_factory=WalletLimits)
    dead_man_seconds: int | None = None
    sleeves: tuple[SleeveTemplate, ...] = ()
    every: str = ""

    def new_strategy(self) -> Strategy:
        """A fresh instance of the strategy; of a wallet with sleeves one that decides nothing."""
        return Strategy() if self.sleeves else create(self.strategy, dict(self.parameters))

    def view_of(self, sleeve: SleeveTemplate) -> "WalletTemplate":
        """It with one of its strategies alone, and its part of the cash."""
        return replace(
            self,
            strategy=sleeve.strategy,
            parameters=sleeve.parameters,
            instruments=sleeve.instruments,
            cash=EXACT.divide(EXACT.multiply(self.cash, sleeve.capital_percent), Decimal(100)),
            limits=replace(
                self.limits,
                restricted=tuple(name for name in self.limits.restricted if name in sleeve.instruments),
            ),
            sleeves=(),
        )

    def strategy_faults(self) -> dict[str, str]:
        """Why strategies of it cannot be made: a line each, by sleeve, or by the wallet's name for its one strategy."""
        found = {}
        for one in self.sleeves or (self,):
            try:
                one.new_strategy()
            except Exception as error:  # a strategy's own constructor may raise anything
                said = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
                line = f"{one.strategy}: {said}" if one.strategy not in said else said
                found[one.name] = line.splitlines()[0]
        return found

    def usable_part(self) -> "WalletTemplate":
        """It without the sleeves whose strategy cannot be made, where others can be: a fault of one stops no other."""
        faults = self.strategy_faults()
        return replace(self, sleeves=tuple(one for one in self.sleeves if one.name not in faults) or self.sleeves)

    def check(self) -> None:
        """Refuse what stops this wallet alone, when its turn comes; the file is good for its neighbours.

        Raises:
            WalletsError: when it cannot trade.
        """
        if faults := self.strategy_faults():
            lines = (f"strategy {name}: {fault}" if self.sleeves else fault for name, fault in faults.items())
            raise WalletsError("; ".join(lines))
        if self.cash <= 0:
            raise WalletsError(f"cash: expected more than 0 {self.currency} to trade with, was {plain(self.cash)}")


@dataclass(frozen=True)
class WalletFault:
    """An entry that cannot be used; `wallet` is its name, or its place where it has none of its own."""

    wallet: str
    mode: str | None
    message: str


@dataclass(frozen=True)
class WalletsFile:
    """The wallets of a file, in its order, each still to be checked; and the entries that cannot be read as one."""

    templates: tuple[WalletTemplate, ...]
    faults: tuple[WalletFault, ...]

    @property
    def listed(self) -> frozenset[str] | None:
        """The names in the file, faulty entries' too; None where an entry has no name that can be read."""
        if any(NAME.fullmatch(fault.wallet) is None for fault in self.faults):
            return None
        return frozenset({*(one.name for one in self.templates), *(fault.wallet for fault in self.faults)})

    def of_modes(self, modes: Collection[str]) -> "WalletsFile":
        """Those of some modes, and the entries that say no mode."""
        return WalletsFile(
            tuple(template for template in self.templates if template.mode in modes),
            tuple(fault for fault in self.faults if fault.mode is None or fault.mode in modes),
        )


def read_wallets(path: Path) -> WalletsFile:
    """Read Wallets.json. A faulty entry stops its own wallet; of two with one name, the first is that wallet.

    Raises:
        WalletsError: the file is missing, too large, not JSON, or no list of wallets; in one line.
    """
    try:
        entries = read_entries(path, "wallets")
    except CheckError as error:
        raise WalletsError(f"{path.name}: {error}") from None
    templates: dict[str, WalletTemplate] = {}
    faults: list[WalletFault] = []
    for i, entry in enumerate(entries):
        where = f"{path.name}: wallets[{i}]"
        try:
            template = _template(where, entry)
            if template.name in templates:
                raise WalletsError(f"{where}.name: expected a new name, was {template.name!r} again")
            templates[template.name] = template
        except WalletsError as error:
            taken = {*templates, *(fault.wallet for fault in faults)}
            faults.append(_fault(i, entry, str(error), taken))
    return WalletsFile(tuple(templates.values()), tuple(faults))


def _fault(i: int, entry: Any, message: str, taken: Collection[str]) -> WalletFault:
    said = entry if isinstance(entry, dict) else {}
    name, mode = said.get("name"), said.get("mode")
    label = f"wallets[{i}]"
    if isinstance(name, str) and NAME.fullmatch(name) and name not in taken:
        label = name
    return WalletFault(label, mode if isinstance(mode, str) and mode in MODES else None, message)


def _template(where: str, entry: Any) -> WalletTemplate:
    try:
        check(entry, "wallet")
    except CheckError as error:
        line = str(error)
        at_root = line.startswith(ROOT)
        raise WalletsError(f"{where}{line.removeprefix(ROOT) if at_root else f'.{line}'}") from None
    sleeves = _sleeves(where, entry)
    opened_at = entry.get("opened_at")
    template = WalletTemplate(
        name=entry["name"],
        mode=entry["mode"],
        strategy=SEVERAL if sleeves else entry["strategy"],
        parameters=_parameters(entry),
        instruments=tuple(entry["instruments"]),
        interval=entry["interval"],
        every=entry.get("every", ""),
        currency=entry["currency"],
        cash=exact(entry["cash"]),
        fee_rate=exact(entry.get("fee_percent", 0)) / 100,
        max_age=max(INSTANT, timedelta(minutes=float(entry.get("max_decision_age_minutes", 15)))),
        opened_at=_instant(f"{where}.opened_at", opened_at) if opened_at is not None else None,
        broker=entry.get("broker", "paper"),
        limits=_limits(where, entry),
        dead_man_seconds=entry.get("dead_man_seconds"),
        sleeves=sleeves,
    )
    if template.mode == "live":
        _check_live(where, entry)
    return template


def _parameters(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in entry.get("parameters", {}).items()}


def _sleeves(where: str, entry: dict[str, Any]) -> tuple[SleeveTemplate, ...]:
    """The strategies of an entry that has several.

    Raises:
        WalletsError: it says both one and several, or neither; or they do not go together.
    """
    if "strategies" not in entry:
        if "strategy" not in entry:
            raise WalletsError(f"{where}: expected the key 'strategy' (or 'strategies'), was missing")
        return ()
    for key in ("strategy", "parameters"):
        if key in entry:
            raise WalletsError(f"{where}.{key}: expected in each of `strategies`, was beside them")
    sleeves: dict[str, SleeveTemplate] = {}
    for i, one in enumerate(entry["strategies"]):
        place = f"{where}.strategies[{i}]"
        if one["name"] in RESERVED_NAMES or one["name"] in sleeves:
            raise WalletsError(f"{place}.name: expected a name of its own, was {one['name']!r}")
        instruments = tuple(one.get("instruments", entry["instruments"]))
        for name in instruments:
            if name not in entry["instruments"]:
                raise WalletsError(f"{place}.instruments: expected instruments of the wallet, was {name!r}")
        capital = exact(one["capital_percent"])
        sleeves[one["name"]] = SleeveTemplate(one["name"], one["strategy"], _parameters(one), instruments, capital)
    total = sum((one.capital_percent for one in sleeves.values()), Decimal(0))
    if total > 100:
        raise WalletsError(f"{where}.strategies: expected at most 100 capital_percent together, was {plain(total)}")
    return tuple(sleeves.values())


def _limits(where: str, entry: dict[str, Any]) -> WalletLimits:
    """The limits of an entry that its schema let pass."""
    limits = parse_limits(entry.get("limits", {}))
    for i, name in enumerate(limits.restricted):
        if name not in entry["instruments"]:
            listed = ", ".join(entry["instruments"])
            raise WalletsError(f"{where}.limits.restricted[{i}]: expected one of {listed}, was {name!r}")
    if limits.chosen_only and entry["mode"] == "replay":
        raise WalletsError(
            f"{where}.limits.chosen_only: expected a wallet that trades: a replay has no choice of the day"
        )
    return limits


def _check_live(where: str, entry: dict[str, Any]) -> None:
    """Live trading needs two confirmations, and a broker that trades with money.

    That its account agrees with our books is seen to with each start (`reconcile.execute_reconciled`).
    """
    if not settings().live_trading:
        raise WalletsError(f"{where}.mode: live needs STRADES_LIVE_TRADING=true, was not set; use paper")
    if entry.get("confirm_live") != entry["name"]:
        raise WalletsError(f"{where}.confirm_live: expected {entry['name']!r}, was {entry.get('confirm_live')!r}")
    if entry.get("broker", "paper") == "paper":
        raise WalletsError(f"{where}.broker: live needs a broker that trades with money, was 'paper'")


def _plain(value: Any) -> Any:
    """A parameter as strategies take it: their numbers are floats."""
    return float(value) if isinstance(value, Decimal) else value


def _instant(where: str, text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise ValueError("it has no offset")
        time = time.astimezone(UTC)
        if not FIRST_OPENING <= time < LAST_OPENING:
            raise ValueError("it is not in 1970 to 2199")
    except (ValueError, OverflowError) as error:
        raise WalletsError(f"{where}: expected ISO 8601 with an offset, was {text!r} ({error})") from None
    return time
