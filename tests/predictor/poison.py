"""A market as it was known at a time, and one whose later part is absurd."""

from dataclasses import replace

import numpy as np

from strades_pipelines.predictor.feature_inputs import Bars, Market, Series

PRICES = ("open", "high", "low", "close", "volume", "factor")


def cut(market: Market, time: np.datetime64) -> Market:
    """Only what was known at `time`."""
    articles = market.articles
    known = articles.knowledge_time <= time
    kept = replace(
        articles,
        knowledge_time=articles.knowledge_time[known],
        positive=articles.positive[known],
        negative=articles.negative[known],
        about={listing: about[known] for listing, about in articles.about.items()},
    )
    bars = {listing: own.take(own.knowledge_time <= time) for listing, own in market.bars.items()}
    return replace(market, bars=bars, articles=kept, published={k: _cut(v, time) for k, v in market.published.items()})


def _cut(series: Series, time: np.datetime64) -> Series:
    known = series.knowledge_time <= time
    return Series(series.event_time[known], series.knowledge_time[known], series.value[known])


def poison(market: Market, time: np.datetime64) -> Market:
    """All that became known after `time` made absurd."""

    def bars(own: Bars) -> Bars:
        late = own.knowledge_time > time
        return replace(own, **{name: np.where(late, 1e12, getattr(own, name)) for name in PRICES})

    def series(own: Series) -> Series:
        return replace(own, value=np.where(own.knowledge_time > time, 1e12, own.value))

    articles, late = market.articles, market.articles.knowledge_time > time
    bad = replace(
        articles,
        positive=np.where(late, 10**6, articles.positive),
        negative=np.where(late, 10**9, articles.negative),
        about={listing: late | about for listing, about in articles.about.items()},
    )
    return Market(
        {listing: bars(own) for listing, own in market.bars.items()},
        market.venues,
        {name: series(own) for name, own in market.published.items()},
        bad,
    )
