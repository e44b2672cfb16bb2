"""A wallet's history by session: what it opened with, what flowed, was earned and lost, and who earned it. Pure.

The accounting identity of each session: closing = opening + flows + realised + change of unrealised + income +
revaluation. The last is what rates of exchange changed: nothing where all cash is in the wallet's currency.

P&L belongs to whoever's fill it came of: what an owner (a strategy, a person) sold for, less what it bought for, less
fees, and its units at the last price, as if it held them alone. Owners share one position, so that one of them may sell
what another bought, and is short then; in prices, P&L is linear, and the owners' add up to the wallet's exactly
(market/attribution.py does the same by listing).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, NamedTuple

from strades_pipelines.market.account_returns import TimeWeighted
from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.books import value_cash
from strades_pipelines.market.cost_basis import AVERAGE, COST_UNIT, ZERO, CostBasis, Lot, sum_exact
from strades_pipelines.market.ledger_chain import FLOWS, INCOME, UNIT_FEE, Entry, plain
from strades_pipelines.market.rounding import EXACT, scaled
from strades_pipelines.market.split_arithmetic import Split


class Owner(NamedTuple):
    """Whose a fill is: the strategy with its parameters, or `person`; `source` is algorithm, person or statement."""

    strategy: str
    source: str


@dataclass(frozen=True, slots=True)
class Step:
    """A line of the ledger; one of the kind `fill` with its fill and whose it is, one of the kind `split` with that.

    `holder` is whose cost the fill goes into: '' for all of a wallet with one strategy; each of several has its own.
    """

    entry: Entry
    fill: Fill | None = None
    owner: Owner | None = None
    split: Split | None = None
    holder: str = ""


@dataclass(frozen=True, slots=True)
class Quotes:
    """Prices by listing id and rates by currency, as known at one time; what has none is absent."""

    prices: Mapping[int, Decimal]
    rates: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Period:
    """A session: [starts_at, ends_at), of which the last may be valued before it ends."""

    session_date: date
    starts_at: datetime
    ends_at: datetime


@dataclass
class Share:
    """What an owner has of a listing: units, what its fills brought so far, and what they did in this session."""

    units: Decimal = ZERO
    cash: Decimal = ZERO
    fills: int = 0
    traded: Decimal = ZERO
    fees: Decimal = ZERO

    def value(self, price: Decimal) -> Decimal:
        """What it made so far, at `price`."""
        return EXACT.add(self.cash, EXACT.multiply(self.units, price))


@dataclass
class AccountState:
    """A wallet's books at the end of a session, from which the next goes on. `prices` are those it was valued at."""

    cash: dict[str, Decimal] = field(default_factory=dict)
    bases: dict[tuple[int, str], CostBasis] = field(default_factory=dict)  # by listing and holder
    prices: dict[int, Decimal] = field(default_factory=dict)
    shares: dict[tuple[int, Owner], Share] = field(default_factory=dict)

    def take(self, step: Step) -> Decimal:
        """Take a line in; returns the profit that it realised."""
        entry, fill = step.entry, step.fill
        if entry.kind != UNIT_FEE:
            self.cash[entry.currency] = EXACT.add(self.cash.get(entry.currency, ZERO), entry.amount)
        if step.split is not None:
            return self._split(step.split)
        if fill is None or step.owner is None:
            return ZERO
        basis = self.bases.setdefault((fill.listing_id, step.holder), CostBasis(AVERAGE))
        closed = basis.trade(fill.filled_at, fill.units, fill.cash_after_fee)
        share = self.shares.setdefault((fill.listing_id, step.owner), Share())
        share.units = EXACT.add(share.units, fill.units)
        share.cash = EXACT.add(share.cash, fill.cash_after_fee)
        share.fills += 1
        share.traded = EXACT.add(share.traded, abs(fill.paid))
        share.fees = EXACT.add(share.fees, fill.fee_cost or ZERO)
        return sum_exact(disposal.profit for disposal in closed)

    def _split(self, split: Split) -> Decimal:
        """Take a split in; returns the profit of the fraction that was paid out, which is its largest owner's."""
        bases = [basis for (listing_id, _), basis in self.bases.items() if listing_id == split.listing_id]
        most = max(bases, key=lambda basis: basis.units, default=None)
        whole = replace(split, taken=ZERO, cash=ZERO)
        closed = [disposal for basis in bases for disposal in basis.split(split if basis is most else whole)]
        shares = [share for (listing_id, _), share in self.shares.items() if listing_id == split.listing_id]
        for share in shares:
            share.units = scaled(share.units, split.ratio)
        if shares and split.taken:
            largest = max(shares, key=lambda share: share.units)
            largest.units = EXACT.subtract(largest.units, split.taken)
            largest.cash = EXACT.add(largest.cash, split.cash)
        return sum_exact(disposal.profit for disposal in closed)

    def price(self, listing_id: int, quotes: Quotes) -> Decimal:
        """The price of a listing; one that none is known of counts at its average cost."""
        if listing_id in quotes.prices:
            return quotes.prices[listing_id]
        bases = [basis for (listing, _), basis in self.bases.items() if listing == listing_id]
        units, cost = sum_exact(basis.units for basis in bases), sum_exact(basis.cost for basis in bases)
        if not units:
            return self.prices.get(listing_id, ZERO)
        return EXACT.divide(cost, units).quantize(COST_UNIT, ROUND_HALF_EVEN, EXACT)

    def unrealised(self, quotes: Quotes) -> Decimal:
        """The profit of what is held at those prices."""
        return sum_exact(
            EXACT.subtract(EXACT.multiply(basis.units, self.price(listing_id, quotes)), basis.cost)
            for (listing_id, _), basis in self.bases.items()
        )

    def value(self, quotes: Quotes) -> Decimal:
        """What the wallet is worth, but for cash without a known rate."""
        cost = sum_exact(basis.cost for basis in self.bases.values())
        return sum_exact([value_cash(self.cash, quotes.rates)[0], cost, self.unrealised(quotes)])

    def to_json(self) -> dict[str, Any]:
        """The state as JSON keeps it, exact numbers as text."""
        return {
            "cash": {currency: plain(amount) for currency, amount in self.cash.items()},
            "positions": [
                [
                    listing_id,
                    lot.opened_at.isoformat(),
                    plain(lot.units),
                    plain(lot.cost),
                    *([holder] if holder else []),
                ]
                for (listing_id, holder), basis in self.bases.items()
                for lot in basis.lots
            ],
            "prices": {str(listing_id): plain(price) for listing_id, price in self.prices.items()},
            "shares": [
                [listing_id, *owner, plain(share.units), plain(share.cash)]
                for (listing_id, owner), share in self.shares.items()
            ],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "AccountState":
        """The state that `to_json` made."""
        positions = {
            (listing_id, holder[0] if holder else ""): CostBasis(
                AVERAGE, [Lot(datetime.fromisoformat(at), Decimal(units), Decimal(cost))]
            )
            for listing_id, at, units, cost, *holder in stored["positions"]
        }
        shares = {
            (listing_id, Owner(strategy, source)): Share(Decimal(units), Decimal(cash))
            for listing_id, strategy, source, units, cash in stored["shares"]
        }
        cash = {currency: Decimal(amount) for currency, amount in stored["cash"].items()}
        return cls(cash, positions, {int(key): Decimal(price) for key, price in stored["prices"].items()}, shares)


@dataclass(frozen=True, slots=True)
class Attribution:
    """What an owner's fills in a listing made in a session; `units` is what it has of it at the end."""

    listing_id: int
    owner: Owner
    units: Decimal
    fills: int
    traded: Decimal
    fees: Decimal
    pnl: Decimal


@dataclass(frozen=True, slots=True)
class SessionAccount:
    """A session of a wallet; money in its currency.

    Args:
        valued_at: its end, or where it is not over, when it was valued.
        unrealised: at `valued_at`, since the units were bought.
        time_weighted: the return; None where it began with nothing and ended with something.
        unvalued: currencies of cash and flows that no rate is known of: no amount here has them in it.
        state: at `valued_at`, as JSON.
    """

    period: Period
    valued_at: datetime
    opening: Decimal
    flows: Decimal
    realised: Decimal
    unrealised: Decimal
    income: Decimal
    fees: Decimal
    revaluation: Decimal
    closing: Decimal
    time_weighted: float | None
    unvalued: list[str]
    attribution: list[Attribution]
    state: dict[str, Any]


def account_session(
    state: AccountState,
    opening: Decimal,
    steps: Iterable[Step],
    quotes: Mapping[datetime, Quotes],
    period: Period,
    valued_at: datetime,
) -> SessionAccount:
    """Take a session's lines in and account for them; `state` is moved to its end.

    Args:
        opening: what the session before closed with.
        steps: of this session, in the order of their times.
        quotes: at the time of each flow and of income in another currency, and at `valued_at`.
    """
    before = {key: share.value(state.prices.get(key[0], ZERO)) for key, share in state.shares.items()}
    for share in state.shares.values():
        share.fills, share.traded, share.fees = 0, ZERO, ZERO
    unrealised_before = state.unrealised(Quotes(state.prices, {}))
    measured, unvalued = TimeWeighted(opening), set()
    flows = income = realised = ZERO
    for step in steps:
        kind, at = step.entry.kind, step.entry.occurred_at
        if kind in FLOWS or kind in INCOME:
            amount, missing = value_cash({step.entry.currency: step.entry.amount}, quotes[at].rates)
            unvalued.update(missing)
            if kind in FLOWS:
                # Before the line is in: the account as it was without it.
                measured.cut(state.value(quotes[at]), amount)
                flows = EXACT.add(flows, amount)
            else:
                income = EXACT.add(income, amount)
        realised = EXACT.add(realised, state.take(step))
    at_end = quotes[valued_at]
    closing, unrealised = state.value(at_end), state.unrealised(at_end)
    explained = sum_exact([opening, flows, realised, income, unrealised, -unrealised_before])
    unvalued.update(value_cash(state.cash, at_end.rates)[1])
    listings = {listing_id for listing_id, _ in (*state.bases, *state.shares)}
    state.prices = {listing_id: state.price(listing_id, at_end) for listing_id in sorted(listings)}
    attribution = list(_attribution(state, before))
    _forget_what_is_over(state)
    return SessionAccount(
        period=period,
        valued_at=valued_at,
        opening=opening,
        flows=flows,
        realised=realised,
        unrealised=unrealised,
        income=income,
        fees=sum_exact(row.fees for row in attribution),
        revaluation=EXACT.subtract(closing, explained),
        closing=closing,
        time_weighted=measured.result(closing),
        unvalued=sorted(unvalued),
        attribution=attribution,
        state=state.to_json(),
    )


def _attribution(state: AccountState, before: Mapping[tuple[int, Owner], Decimal]) -> Sequence[Attribution]:
    rows = []
    for (listing_id, owner), share in state.shares.items():
        made = EXACT.subtract(share.value(state.prices[listing_id]), before.get((listing_id, owner), ZERO))
        if share.fills or share.units or made:
            rows.append(Attribution(listing_id, owner, share.units, share.fills, share.traded, share.fees, made))
    return rows


def _forget_what_is_over(state: AccountState) -> None:
    """Listings that nobody has anything of: what they made is in the sessions before."""
    held = {listing_id for (listing_id, _), share in state.shares.items() if share.units}
    held |= {listing_id for (listing_id, _), basis in state.bases.items() if basis.lots}
    state.shares = {key: share for key, share in state.shares.items() if key[0] in held}
    state.bases = {key: basis for key, basis in state.bases.items() if key[0] in held}
    state.prices = {listing_id: price for listing_id, price in state.prices.items() if listing_id in held}
