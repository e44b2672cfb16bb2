"""What every page's frame says of the installation."""

from dataclasses import dataclass
from datetime import timedelta

from dashboard.gateway.reading import read_one
from strades_pipelines.settings import settings

FEED_DAYS = timedelta(days=30)  # the log is read by time: of a longer span most rows are fills of wallets
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
        to_regclass('cleaned.news') IS NOT NULL AS has_news,
        (
            SELECT count(*) FROM ops.events AS e
            WHERE e.timestamp > greatest(
                (SELECT p.seen_at FROM dashboard.profiles AS p WHERE p.person_id = ops.viewer()), %(since)s
            ) AND starts_with(e.user_id, 'person:') AND e.user_id <> 'person:' || ops.viewer()
        ) AS unseen_acts
"""


@dataclass(frozen=True)
class Installation:
    """The world, how many wallets trade live and are halted, and which tables dbt has made yet.

    `unseen_acts` of others concern the viewer, since he last looked at the feed.
    """

    world: str
    live_wallets: int
    halted_wallets: int
    has_daily_bars: bool
    has_gaps: bool
    has_news: bool
    unseen_acts: int

    @property
    def mode(self) -> str:
        """What the band at the top says: `live` as soon as one wallet trades live."""
        return "live" if self.live_wallets else "sandbox" if self.world == "sandbox" else "paper"


def read_installation() -> Installation:
    """One query."""
    found = read_one(Installation, QUERY, since=settings().now() - FEED_DAYS)
    assert found is not None
    return found
