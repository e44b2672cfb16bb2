"""News: how much was written about a listing and about anything, and in which tone, as known at the session's close."""

import numpy as np

from strades_pipelines.predictor.feature import Compute, Feature
from strades_pipelines.predictor.feature_inputs import Articles, Known, Times
from strades_pipelines.predictor.windows import Floats

ARTICLES = ("records.articles",)
COVERAGE = 30  # days
COUNTED = (
    ("own", 1, ""), ("own", 5, ""), ("own", 20, ""), ("own", 5, "positive"), ("own", 5, "negative"),
    ("all", 1, ""), ("all", COVERAGE, ""), ("all", 5, "positive"), ("all", 5, "negative"),
)  # fmt: skip
TONE = "Tetlock (2007); the word list is our own (analysis/tone.py)"
COUNTS = "Barber, Odean, All That Glitters (2008)"
NO_NEWS = (
    f"missing where no article at all was known in the {COVERAGE} days before: nothing read is not nothing written"
)


def article_counts(articles: Articles, listing: int, decision_time: Times) -> dict[str, Floats]:
    """What was written in the days up to each decision, about a listing (`own`) and about anything (`all`).

    Whole numbers, so the difference of two running sums is exact. Days are 24 hours: `(t - days, t]`.
    """
    counts = {}
    for scope, days, words in COUNTED:
        times, running = articles.running(listing if scope == "own" else None, words)
        until = np.searchsorted(times, decision_time, side="right")
        since = np.searchsorted(times, decision_time - np.timedelta64(days, "D"), side="right")
        counts["_".join(filter(None, (scope, words, str(days))))] = (running[until] - running[since]).astype(np.float64)
    return counts


def _count(name: str) -> Compute:
    return lambda known: np.log1p(_covered(known, known.articles[name]))


def _covered(known: Known, values: Floats) -> Floats:
    return np.where(known.articles[f"all_{COVERAGE}"] > 0.0, values, np.nan)


def _surprise(known: Known) -> Floats:
    own = known.articles
    return _covered(known, np.log1p(own["own_1"]) - np.log1p(own["own_20"] / 20.0))


def _tone(which: str) -> Compute:
    def compute(known: Known) -> Floats:
        good, bad = known.articles[f"{which}_positive_5"], known.articles[f"{which}_negative_5"]
        return _covered(known, (good - bad) / np.maximum(good + bad, 1.0))

    return compute


def _news(name: str, formula: str, source: str, compute: Compute) -> Feature:
    return Feature(name, "news", formula, 1, ARTICLES, source, compute, NO_NEWS)


NEWS = (
    _news("news_count_1", "ln(1 + articles of the last day that mention the listing)", COUNTS, _count("own_1")),
    _news("news_count_5", "ln(1 + articles of the last 5 days that mention the listing)", COUNTS, _count("own_5")),
    _news("news_surprise", "ln(1 + mentions of 1 day) - ln(1 + mentions of 20 days / 20)", COUNTS, _surprise),
    _news("news_tone_5", "(good - bad) / (good + bad) words of 5 days' mentions, 0 without such", TONE, _tone("own")),
    _news("all_news_count_1", "ln(1 + articles of the last day)", COUNTS, _count("all_1")),
    _news("all_news_tone_5", "(good - bad) / (good + bad) words of 5 days' articles, 0 without such", TONE,
          _tone("all")),
)  # fmt: skip
