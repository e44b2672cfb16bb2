"""What a wallet's result is made of: months of holding, listings, owners, parity, and what the result is worth."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from math import isfinite, sqrt

from dashboard.gateway.reading import read, read_one
from strades_pipelines.analysis.significance import (
    Moments,
    deflated_sharpe_ratio,
    expected_maximum_sharpe,
    variance_of_trials,
)

SETTING = """
    SELECT w.wallet, w.mode, w.strategy, w.currency, w."interval", w.opening_cash, w.opened_at, w.window_end,
        r.time_weighted, r.money_weighted, r.measured_at AS returns_at
    FROM trading.wallets AS w LEFT JOIN results.return_statistics AS r ON r.wallet = w.wallet
    WHERE w.wallet = %(wallet)s
"""
# At the end of the last session of each month, so that both returns are of the same span.
HELD_MONTHS = """
    SELECT month.starts_on, held.benchmark
    FROM (
        SELECT CAST(date_trunc('month', s.session_date) AS date) AS starts_on, max(s.valued_at) AS valued_at
        FROM results.wallet_sessions AS s WHERE s.wallet = %(wallet)s GROUP BY 1
    ) AS month
    CROSS JOIN LATERAL (
        SELECT e.benchmark FROM results.equity AS e
        WHERE e.wallet = %(wallet)s AND e.time <= month.valued_at ORDER BY e.time DESC LIMIT 1
    ) AS held
    ORDER BY month.starts_on
"""
BY_LISTING = """
    SELECT p.listing_id, l.venue || ':' || l.symbol AS instrument, p.pnl, p.fees,
        (p.statistics ->> 'total_return')::double precision AS total_return,
        (p.benchmark ->> 'total_return')::double precision AS benchmark_return,
        (p.statistics ->> 'max_drawdown')::double precision AS max_drawdown,
        (p.statistics ->> 'trades')::integer AS trades,
        (p.statistics ->> 'round_trips')::integer AS round_trips, (p.statistics ->> 'won')::integer AS won
    FROM results.listing_performance AS p INNER JOIN records.listings AS l ON l.listing_id = p.listing_id
    WHERE p.wallet = %(wallet)s ORDER BY p.pnl DESC, instrument
"""
# One query for both, since a page has twelve: of several strategies each has a row, also one that was never filled.
BY_OWNER = """
    SELECT coalesce(made.strategy, own.sleeve) AS strategy, coalesce(made.source, own.source) AS source, made.fills,
        made.traded, made.fees, made.pnl, own.strategy AS kind, own.capital, own.realised, own.unrealised, own.value,
        own.as_of
    FROM (
        SELECT a.strategy, a.source, sum(a.fills)::integer AS fills, sum(a.traded) AS traded, sum(a.fees) AS fees,
            sum(a.pnl) AS pnl
        FROM results.session_attribution AS a WHERE a.wallet = %(wallet)s GROUP BY a.strategy, a.source
    ) AS made
    FULL JOIN (
        SELECT s.sleeve, 'algorithm' AS source, s.strategy, (s.capital_percent / 100)::double precision AS capital,
            s.realised, s.unrealised, s.value, s.as_of
        FROM results.strategies AS s WHERE s.wallet = %(wallet)s
    ) AS own ON made.strategy = own.sleeve AND made.source = own.source
    ORDER BY 1, 2
"""
PARITY = """
    SELECT p.day, p.decisions, p.decisions_agreeing, p.fills, p.fills_agreeing,
        ARRAY(
            SELECT d.subject || ' ' || d.reference || ' (' || d.cause || '): ' || d.recorded || ' / ' || d.expected
            FROM results.parity_differences AS d WHERE d.wallet = p.wallet AND d.day = p.day
            ORDER BY d.at, d.subject, d.reference LIMIT 5
        ) AS differences
    FROM results.daily_parity AS p
    WHERE p.wallet = %(wallet)s AND (%(day)s::date IS NULL OR p.day = %(day)s) ORDER BY p.day DESC LIMIT 31
"""
REPLAY_PARITY = """
    SELECT p.replay_fills, p.backtest_fills, p.differing, p.detail, p.recorded_at FROM results.parity AS p
    WHERE p.wallet = %(wallet)s
"""
# All that were ever tried with the strategy, whatever the data; a ratio is brought to one per year.
WORTH = """
    SELECT (p.statistics ->> 'returns')::integer AS returns,
        (p.statistics ->> 'sharpe_per_return')::double precision AS sharpe_per_return,
        (p.statistics ->> 'skewness')::double precision AS skewness,
        (p.statistics ->> 'kurtosis')::double precision AS kurtosis,
        (p.statistics ->> 'returns_per_year')::double precision AS returns_per_year,
        (p.statistics ->> 'psr')::double precision AS psr,
        (p.statistics ->> 'sharpe')::double precision AS sharpe,
        tried.trials, tried.variance, tried.known
    FROM results.performance AS p
    INNER JOIN trading.wallets AS w ON w.wallet = p.wallet
    CROSS JOIN LATERAL (
        SELECT count(*) AS trials, count(t.sharpe * sqrt(t.periods_per_year)) AS known,
            var_samp(t.sharpe * sqrt(t.periods_per_year)) AS variance
        FROM ops.trials AS t WHERE t.strategy = w.strategy
    ) AS tried
    WHERE p.wallet = %(wallet)s
"""


@dataclass(frozen=True)
class WalletSetting:
    """With what a wallet was opened, and its returns since; a replay has the end of its window.

    Args:
        time_weighted: over all sessions; None where one has no return.
        money_weighted: a year; None where no rate or several fit.
        returns_at: as of when both are; None where no session is measured.
    """

    wallet: str
    mode: str
    strategy: str
    currency: str
    interval: str
    opening_cash: Decimal
    opened_at: datetime
    window_end: datetime | None
    time_weighted: float | None
    money_weighted: float | None
    returns_at: datetime | None


@dataclass(frozen=True)
class HeldMonth:
    """What the wallet's opening cash, bought and held, was worth at the end of a month's last session; money."""

    starts_on: date
    benchmark: float


@dataclass(frozen=True)
class ListingResult:
    """What a listing brought a wallet, and holding an equal part of the capital in it; returns are simple, fees in."""

    listing_id: int
    instrument: str
    pnl: float
    fees: float
    total_return: float | None
    benchmark_return: float | None
    max_drawdown: float | None
    trades: int | None
    round_trips: int | None
    won: int | None


@dataclass(frozen=True)
class OwnerResult:
    """What the fills of one strategy, of people or of statements made, in the wallet's currency, fees in.

    Args:
        fills, traded, fees, pnl: of the sessions that are measured; None where it was filled in none.
        kind: of one of several strategies, which then has a position of its own; None of any other owner.
        capital: its part of the wallet's opening cash, 1 for all of it.
        realised, unrealised, value: of its own position; None for the latter two where it holds what has no price.
        as_of: the time of its oldest price; None where it holds nothing.
    """

    strategy: str
    source: str
    fills: int | None
    traded: Decimal | None
    fees: Decimal | None
    pnl: Decimal | None
    kind: str | None
    capital: float | None
    realised: Decimal | None
    unrealised: Decimal | None
    value: Decimal | None
    as_of: datetime | None


@dataclass(frozen=True)
class ParityDay:
    """A UTC day beside a replay of it: decisions and fills of both, how many agree, and the first differences."""

    day: date
    decisions: int
    decisions_agreeing: int
    fills: int
    fills_agreeing: int
    differences: list[str]

    @property
    def is_equal(self) -> bool:
        """Whether all agree."""
        return (self.decisions, self.fills) == (self.decisions_agreeing, self.fills_agreeing)


@dataclass(frozen=True)
class ReplayParity:
    """A replay's fills beside those of `strades backtest`."""

    replay_fills: int
    backtest_fills: int
    differing: int
    detail: str
    recorded_at: datetime


@dataclass(frozen=True)
class Worth:
    """The moments of a wallet's returns and the trials of its strategy, as stored.

    Args:
        trials: sets of parameters that the strategy was ever run with, on whatever data; `known` have a ratio.
        variance: of their yearly ratios; None under two.
    """

    returns: int | None
    sharpe_per_return: float | None
    skewness: float | None
    kurtosis: float | None
    returns_per_year: float | None
    psr: float | None
    sharpe: float | None
    trials: int
    variance: float | None
    known: int

    @property
    def count(self) -> int:
        """Trials to deflate by: the wallet itself where none is stored."""
        return max(1, self.trials)

    @property
    def moments(self) -> Moments | None:
        """What significance takes; None where it was not measured or the account did not vary."""
        if None in (self.returns, self.sharpe_per_return, self.skewness, self.kurtosis):
            return None
        return Moments(self.returns or 0, self.sharpe_per_return or 0.0, self.skewness or 0.0, self.kurtosis or 0.0)

    def _variance(self, moments: Moments) -> float:
        if self.variance is None or not self.returns_per_year:
            return variance_of_trials([], moments)
        return self.variance / self.returns_per_year

    @property
    def threshold(self) -> float | None:
        """The yearly Sharpe ratio that the best of the trials is expected to show without skill."""
        if self.moments is None or not self.returns_per_year:
            return None
        return _finite(expected_maximum_sharpe(self.count, self._variance(self.moments)) * sqrt(self.returns_per_year))

    @property
    def deflated(self) -> float | None:
        """The probability that the true ratio is above that (Bailey and Lopez de Prado 2014)."""
        if self.moments is None:
            return None
        return _finite(deflated_sharpe_ratio(self.moments, self.count, self._variance(self.moments)))


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def read_setting(wallet: str) -> WalletSetting | None:
    """With what a wallet was opened, or None."""
    return read_one(WalletSetting, SETTING, wallet=wallet)


def read_held_months(wallet: str) -> list[HeldMonth]:
    """Buying and holding by month, oldest first, over the wallet's sessions."""
    return read(HeldMonth, HELD_MONTHS, wallet=wallet)


def read_by_listing(wallet: str) -> list[ListingResult]:
    """What each listing brought, the best first."""
    return read(ListingResult, BY_LISTING, wallet=wallet)


def read_by_owner(wallet: str) -> list[OwnerResult]:
    """What each owner of fills made, as `strades history`, and what each of several strategies holds."""
    return read(OwnerResult, BY_OWNER, wallet=wallet)


def read_parity(wallet: str, day: date | None = None) -> list[ParityDay]:
    """The newest days that were compared with a replay, newest first; `day`: that one alone."""
    return read(ParityDay, PARITY, wallet=wallet, day=day)


def read_replay_parity(wallet: str) -> ReplayParity | None:
    """A replay beside its backtest; None where they were not compared."""
    return read_one(ReplayParity, REPLAY_PARITY, wallet=wallet)


def read_worth(wallet: str) -> Worth | None:
    """What the result rests on; None without a result."""
    return read_one(Worth, WORTH, wallet=wallet)
