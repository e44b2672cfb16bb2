"""Strategies at work: trading wallets and current replays, with results and the confidence interval of win rates."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboard.gateway.reading import read
from strades_pipelines.market.win_rate import wilson_interval

BOTS = """
    WITH parity AS (
        SELECT DISTINCT ON (p.mode, p.strategy) p.mode, p.strategy, p.decision_score, p.fill_score, p.day
        FROM results.strategy_parity AS p ORDER BY p.mode, p.strategy, p.day DESC
    )
    SELECT c.wallet, c.name, c.strategy, c.mode, c.currency, w.opened_at, s.state, s.reason,
        (p.statistics ->> 'to')::timestamptz AS measured_at,
        (p.statistics ->> 'trades')::integer AS trades,
        (p.statistics ->> 'round_trips')::integer AS round_trips,
        (p.statistics ->> 'won')::integer AS won,
        (p.statistics ->> 'exposure')::double precision AS exposure,
        (p.statistics ->> 'turnover')::double precision AS turnover,
        (p.statistics ->> 'fees')::double precision AS fees,
        (p.statistics ->> 'total_return')::double precision AS total_return,
        (p.benchmark ->> 'total_return')::double precision AS benchmark_return,
        parity.decision_score, parity.fill_score
    FROM results.current_wallets AS c
    INNER JOIN results.performance AS p ON p.wallet = c.wallet
    INNER JOIN trading.wallets AS w ON w.wallet = c.wallet
    INNER JOIN trading.wallet_states AS s ON s.wallet = c.wallet
    LEFT JOIN parity ON parity.mode = c.mode AND parity.strategy = c.strategy
    ORDER BY c.mode = 'replay', c.strategy, c.mode, c.name
"""


@dataclass(frozen=True)
class Bot:
    """A strategy in a wallet; ratios are fractions, money is in the wallet's currency.

    Args:
        turnover: notional bought and sold over the mean equity.
        exposure: the fraction of valuations with an open position.
        decision_score, fill_score: the fractions of decisions and fills that a replay reproduces, over all wallets of
            the strategy.
    """

    wallet: str
    name: str
    strategy: str
    mode: str
    currency: str
    opened_at: datetime
    state: str
    reason: str | None
    measured_at: datetime | None
    trades: int | None
    round_trips: int | None
    won: int | None
    exposure: float | None
    turnover: float | None
    fees: float | None
    total_return: float | None
    benchmark_return: float | None
    decision_score: float | None
    fill_score: float | None

    @property
    def run_time(self) -> timedelta | None:
        """Time from the opening of the wallet to its newest result."""
        return None if self.measured_at is None else self.measured_at - self.opened_at

    @property
    def win_rate(self) -> float | None:
        """The fraction of round trips with a profit."""
        return self.won / self.round_trips if self.round_trips and self.won is not None else None

    @property
    def win_interval(self) -> tuple[float, float] | None:
        """The 95 % Wilson confidence interval of the win rate."""
        return wilson_interval(self.won or 0, self.round_trips or 0)

    @property
    def lead(self) -> float | None:
        """Return less that of buying and holding, as a fraction."""
        if self.total_return is None or self.benchmark_return is None:
            return None
        return self.total_return - self.benchmark_return


def read_bots() -> list[Bot]:
    """All bots in one query, trading wallets before replays."""
    return read(Bot, BOTS)
