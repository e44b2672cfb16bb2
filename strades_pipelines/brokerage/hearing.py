"""Which stored records a strategy is fed with."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from strades_pipelines.strategy.strategy import Strategy

HOOKS = ("on_trade", "on_quote", "on_bar_revision", "on_gap", "on_article", "on_corporate_action")
WINDOWS = {"on_trade": "trade_window", "on_quote": "quote_window", "on_article": "article_window"}


@dataclass(frozen=True)
class Hearing:
    """Which of `HOOKS` a strategy has, and how far back a decision of it reads trades, quotes and news.

    Args:
        every: what fills the bars that it hears, which are made of trades; empty: it hears those of the interval.
    """

    hooks: frozenset[str] = frozenset()
    trade_window: timedelta = timedelta(0)
    quote_window: timedelta = timedelta(0)
    article_window: timedelta = timedelta(0)
    every: str = ""

    @property
    def reads_trades(self) -> bool:
        """Whether trades are read for it: to be heard, or to make bars of."""
        return bool(self.every) or "on_trade" in self.hooks

    @property
    def hears_streams(self) -> bool:
        """Whether trades or quotes are events of it."""
        return not self.hooks.isdisjoint({"on_trade", "on_quote"})

    @classmethod
    def of(cls, strategy: Strategy, every: str = "") -> "Hearing":
        """What a strategy hears, with bars made of trades where `every` says what fills one."""
        hooks = frozenset(hook for hook in HOOKS if strategy.hears(hook))
        read = hooks | {"on_trade"} if every else hooks
        windows = {name: timedelta(seconds=getattr(strategy, name)) for hook, name in WINDOWS.items() if hook in read}
        return cls(hooks, every=every, **windows)

    def trades_since(self, opened_at: datetime) -> datetime:
        """From when on trades are read for a session that opens at an aware time.

        Bars of trades begin anew at each midnight (UTC): whenever it opens, a day has the same ones.
        """
        since = (opened_at - self.trade_window).astimezone(UTC)
        return since.replace(hour=0, minute=0, second=0, microsecond=0) if self.every else since


NOTHING_ELSE = Hearing()
