"""What every page's frame says of the installation."""

from dataclasses import dataclass

from dashboard.gateway.reading import read_one

QUERY = """
    SELECT
        (SELECT w.world FROM ops.world AS w) AS world,
        (SELECT count(*) FROM trading.wallets AS w WHERE w.mode = 'live' AND w.state <> 'retired') AS live_wallets,
        (
            SELECT count(*) FROM trading.wallet_states AS s INNER JOIN trading.wallets AS w ON w.wallet = s.wallet
            WHERE w.mode <> 'replay' AND s.state IN ('reducing', 'halted')
        ) AS halted_wallets,
        to_regclass('cleaned.daily_bars') IS NOT NULL AS has_daily_bars,
        to_regclass('cleaned.gaps') IS NOT NULL AS has_gaps,
        to_regclass('cleaned.news') IS NOT NULL AS has_news
"""


@dataclass(frozen=True)
class Installation:
    """The world, how many wallets trade live and are halted, and which tables dbt has made yet."""

    world: str
    live_wallets: int
    halted_wallets: int
    has_daily_bars: bool
    has_gaps: bool
    has_news: bool

    @property
    def mode(self) -> str:
        """What the band at the top says: `live` as soon as one wallet trades live."""
        return "live" if self.live_wallets else "sandbox" if self.world == "sandbox" else "paper"


def read_installation() -> Installation:
    """One query."""
    found = read_one(Installation, QUERY)
    assert found is not None
    return found
