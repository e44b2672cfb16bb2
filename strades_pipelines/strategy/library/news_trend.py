"""Good news that the price agrees with."""

import math
from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Article, Bar
from strades_pipelines.strategy.indicators import Sma
from strades_pipelines.strategy.strategy import Explanation, Strategy


class NewsTrend(Strategy):
    """Hold `size` units while the news is good and the close is above its mean of `length` bars, else none.

    The news is the sum of the tones (-1 to 1) of the articles that mention the instrument, each weighted by exp(-age /
    `memory` hours); it is good above `enter`.
    """

    name: ClassVar[str] = "news_trend"
    memory: float = 48.0
    enter: float = 0.5
    length: int = 20
    size: float = 1.0

    @property
    def lookback(self) -> int:
        """The bars of the mean."""
        return self.length

    @property
    def article_window(self) -> float:
        """Behind five times the memory an article weighs less than a hundredth."""
        return 5.0 * 3600.0 * self.memory

    def on_start(self, account: Account) -> None:
        """Of each instrument: the mean of its closes, its news, and since when that was not weighed."""
        self.means = [Sma(self.length) for _ in range(account.size)]
        self.news = [0.0] * account.size
        self.heard = [0.0] * account.size

    def on_article(self, article: Article, account: Account) -> None:
        """Weigh the article in."""
        self.age(article.i, article.time)
        self.news[article.i] += article.tone

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Compare; what was written since the last bar is news by its close."""
        self.age(bar.i, bar.time)
        mean = self.means[bar.i].update(bar.close)
        account.target[bar.i] = self.size if self.news[bar.i] > self.enter and bar.close > mean else 0.0

    def age(self, i: int, time: int) -> None:
        """Weigh what is known by the time since then."""
        self.news[i] *= math.exp((self.heard[i] - time) / (self.memory * 3.6e9))
        self.heard[i] = float(time)

    def explain(self, event: Any, i: int) -> Explanation:
        """The news and the mean."""
        return Explanation("news and trend", {"news": self.news[i], "mean": self.means[i].value})
