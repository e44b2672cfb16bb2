"""The engine of a replay: filled by simulation, on the terms of a wallet, over bars in the units of now."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from strades_pipelines.brokerage.feed import StoredFeed
from strades_pipelines.brokerage.live_engine import announce
from strades_pipelines.brokerage.model_trust import Standings
from strades_pipelines.brokerage.open_hours import OpenHours
from strades_pipelines.brokerage.wallets import WalletTemplate
from strades_pipelines.engine.cash_rules import CashRules
from strades_pipelines.engine.engine import Engine
from strades_pipelines.engine.gate import Gate
from strades_pipelines.engine.simulated_broker import SimulatedBroker
from strades_pipelines.engine.state import EngineState
from strades_pipelines.engine.targets import Targets
from strades_pipelines.market.fees import PercentFee
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.limits import as_floats
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import CorporateAction, microseconds
from strades_pipelines.strategy.orders import DISTRUSTED, MARKET_CLOSED


class ReplayTargets(Targets):
    """Enlarges no position on the word of a model known to be worse than naive, or in a closed market.

    Such a decision is refused as `execute_pending` refuses it: the strategy's target stays, and is not tried again
    until it changes. What makes a position smaller passes.
    """

    def __init__(self, state: EngineState, cash_rules: CashRules, standings: Standings, open_hours: OpenHours) -> None:
        super().__init__(state, cash_rules)
        self.standings, self.open_hours = standings, open_hours

    def held_back(self, i: int) -> int:
        """DISTRUSTED, MARKET_CLOSED, or what the tactics say."""
        now = self.state.account.now
        if self.standings.worse_than_naive_at(now):
            return DISTRUSTED
        return MARKET_CLOSED if self.open_hours.is_closed(i, now) else super().held_back(i)


class ReplayEngine(Engine):
    """An engine over stored bars, which are in the units of after every split: a strategy is told of it, no more."""

    def on_corporate_action(self, action: CorporateAction) -> None:
        """Tell the strategy."""
        announce(self, action)


def new_engine(template: WalletTemplate, listings: Sequence[Listing], opened_at: datetime, feed: StoredFeed) -> Engine:
    """A fresh engine on a wallet's terms: cash alone, nothing short, whole lots and ticks."""
    size = len(listings)
    limits: dict[str, Any] = as_floats(template.limits.numbers)
    gate = Gate(size, allow_short=False, **limits)
    for i, listing in enumerate(listings):
        gate.lot[i], gate.tick[i] = float(listing.lot), float(listing.tick)
        if listing.name in template.limits.restricted:
            gate.restrict(i)
    broker = SimulatedBroker(PercentFee(float(template.fee_rate)))
    account = Account(size, float(template.cash))
    targets = partial(ReplayTargets, standings=feed.standings, open_hours=feed.open_hours)
    return ReplayEngine(
        template.new_strategy(), account, broker, gate, opened_at=microseconds(opened_at), targets=targets
    )
