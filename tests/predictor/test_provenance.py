"""No look-ahead and no memory, by the numbers of the acceptance list: 1 truncation, 2 poisoning, 3 start-up.

Each law is held by every feature at once, and each is shown to fail with a leak planted in the features.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from strades_pipelines.predictor import provenance
from strades_pipelines.predictor.families import news
from strades_pipelines.predictor.feature import Feature
from strades_pipelines.predictor.feature_inputs import Known, Series
from strades_pipelines.predictor.formulas import FEATURES, NAMES, SESSIONS
from strades_pipelines.predictor.provenance import market_features
from strades_pipelines.predictor.windows import Floats
from tests.predictor.made import made_inputs
from tests.predictor.poison import PRICES, cut, poison

COUNT = 140
MARKET = made_inputs(COUNT)
PAIR = made_inputs(COUNT, listings=2)
WHOLE = market_features(MARKET)
FIRST = MARKET.bars[1].knowledge_time[0]
TIMES = np.random.default_rng(8).integers(0, COUNT * 24, 200)  # hours after the first decision
DECISIONS = np.arange(COUNT) * 24
FEW = TIMES[:12]


def until(table: pa.Table, time: np.datetime64) -> pa.Table:
    """The rows decided up to `time`."""
    decided = table["decision_time"]
    return table.filter(pc.less_equal(decided, pa.scalar(time, pa.timestamp("us")).cast(decided.type)))


def holds_truncation(times: Any = TIMES) -> bool:
    """Whether every row decided by each time is the same with nothing later there."""
    whole = market_features(PAIR)
    return all(
        market_features(cut(PAIR, time)).equals(until(whole, time))
        for time in FIRST + np.asarray(times, "timedelta64[h]")
    )


def holds_poisoning(times: Any = (*DECISIONS, *TIMES[:60])) -> bool:
    """Whether every row decided by each time is the same with all that is later made absurd."""
    whole = market_features(PAIR)
    return all(
        until(market_features(poison(PAIR, time)), time).equals(until(whole, time))
        for time in FIRST + np.asarray(times, "timedelta64[h]")
    )


def holds_startup() -> bool:
    """Whether rows with a whole window before them are the same with history starting later."""
    whole = market_features(MARKET)
    for start in (1, 17, 60):
        later = {listing: own.take(np.arange(COUNT) >= start) for listing, own in MARKET.bars.items()}
        found = market_features(replace(MARKET, bars=later))
        day = MARKET.bars[1].session_date[start + SESSIONS - 1].astype(object)
        after = (table.filter(pc.greater_equal(table["session_date"], pa.scalar(day))) for table in (found, whole))
        if not next(after).equals(next(after)):
            return False
    return True


def test_1_truncation_at_200_times_changes_no_feature_of_any_row() -> None:
    assert holds_truncation()


def test_2_poisoning_after_every_decision_and_60_other_times_reaches_no_feature_of_any_row() -> None:
    assert holds_poisoning()


def test_3_startup_of_history_changes_no_feature_once_its_window_is_complete() -> None:
    assert holds_startup()


def next_bar(known: Known) -> Floats:
    """A planted leak of one bar: tomorrow's return."""
    growth = known.bars.growth
    return np.append(np.log(growth[1:] / growth[:-1]), np.nan)


def whole_window_scaler(known: Known) -> Floats:
    """A planted leak: scaled with the mean and deviation of all there is."""
    close = known.bars.close
    return (close - close.mean()) / (close.std() or 1.0) if len(close) else close


def resample_label(known: Known) -> Floats:
    """A planted leak: each day labelled with the last close of its week, as a resample by its left edge does."""
    week = known.bars.session_date.astype("datetime64[W]").astype(np.int64)
    last = np.searchsorted(week, week, side="right") - 1
    return known.bars.close[last]


@contextmanager
def planted(compute: Callable[[Known], Floats]) -> Iterator[None]:
    """The registry with `return_1` computed otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        leaky = [replace(one, compute=compute) if one.name == "return_1" else one for one in FEATURES]
        patch.setattr(provenance, "FEATURES", tuple(leaky))
        yield


@pytest.mark.parametrize("leak", [next_bar, whole_window_scaler, resample_label])
def test_1_and_2_and_3_find_a_planted_leak(leak: Callable[[Known], Floats]) -> None:
    with planted(leak):
        assert not holds_truncation(FEW)
        assert not holds_poisoning(FEW)
        assert holds_startup() == (leak is not whole_window_scaler)


@pytest.mark.parametrize(("module", "name"), [(provenance, "last_known"), (news, "article_counts")])
def test_2_finds_an_ignored_knowledge_time(module: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = getattr(provenance, name)

    def by_event_time(*given: Any, **more: Any) -> Any:
        if name == "last_known":
            series, decided = given
            return right(replace(series, knowledge_time=series.event_time - np.timedelta64(3, "D")), decided, **more)
        articles, listing, decided = given
        return right(
            replace(articles, knowledge_time=articles.knowledge_time - np.timedelta64(2, "D")), listing, decided
        )

    monkeypatch.setattr(provenance, name, by_event_time)
    assert not holds_poisoning(FEW)


def test_value_that_comes_late_changes_no_row_decided_before_it_came() -> None:
    usd = MARKET.published["ECB:USD"]
    place = 70
    known = usd.knowledge_time.copy()
    known[place] = usd.event_time[place] + np.timedelta64(20, "D")
    late = replace(MARKET, published={**MARKET.published, "ECB:USD": replace(usd, knowledge_time=known)})
    found = market_features(late)
    assert until(found, usd.event_time[place]).equals(until(WHOLE, usd.event_time[place]))
    between = usd.event_time[place] + np.timedelta64(5, "D")
    assert not until(found, between).equals(until(WHOLE, between))
    changed = pc.not_equal(found["inputs_hash"], WHOLE["inputs_hash"])
    last = pc.max(found.filter(changed)["decision_time"]).as_py().replace(tzinfo=None)
    assert np.datetime64(last) < known[place]


def test_bar_that_comes_late_is_no_input_until_it_is_known() -> None:
    place, own = 100, MARKET.bars[1]
    known = own.knowledge_time.copy()
    known[place] += np.timedelta64(3, "D")
    alone = replace(MARKET, venues={1: "a", 2: "v", 3: "v"})
    late = market_features(replace(alone, bars={1: replace(own, knowledge_time=known)}))
    without = market_features(replace(alone, bars={1: own.take(np.arange(COUNT) != place)}))
    whole = market_features(replace(alone, bars={1: own}))
    assert late.slice(place + 1, 2).equals(without.slice(place, 2))
    assert late.slice(place + 3).equals(whole.slice(place + 3))
    assert pc.all(pc.less_equal(late["max_knowledge_time"], late["decision_time"])).as_py()


def test_row_names_the_oldest_session_and_the_newest_knowledge_that_went_in() -> None:
    row = WHOLE.slice(100, 1).to_pylist()[0]
    assert row["window_start"] == row["session_date"] - timedelta(days=SESSIONS - 1)
    assert row["max_knowledge_time"] == row["decision_time"]
    assert WHOLE["window_start"][10].as_py() == WHOLE["session_date"][0].as_py()


@pytest.mark.parametrize("name", PRICES)
def test_inputs_hash_changes_with_every_price_of_the_window_and_with_no_other(name: str) -> None:
    own = MARKET.bars[1]
    values = getattr(own, name).copy()
    values[50] = np.nextafter(values[50], np.inf)
    found = market_features(replace(MARKET, bars={**MARKET.bars, 1: replace(own, **{name: values})}))
    changed = np.flatnonzero(np.asarray(pc.not_equal(found["inputs_hash"], WHOLE["inputs_hash"])))
    assert changed[changed < COUNT].tolist() == list(range(50, 50 + SESSIONS))


def test_inputs_hash_changes_with_a_published_value_an_article_and_a_peer() -> None:
    vix, articles = MARKET.published["VIXCLS"], MARKET.articles
    value = vix.value.copy()
    value[90] *= 1.01
    of_value = replace(MARKET, published={**MARKET.published, "VIXCLS": replace(vix, value=value)})
    of_article = replace(MARKET, articles=replace(articles, positive=articles.positive + (np.arange(280) == 200)))
    peer = MARKET.bars[2]
    of_peer = replace(
        MARKET, bars={**MARKET.bars, 2: replace(peer, close=peer.close * (1 + (np.arange(COUNT) == 90) / 9))}
    )
    for market in (of_value, of_article, of_peer):
        found = market_features(market)
        changed = np.flatnonzero(np.asarray(pc.not_equal(found["inputs_hash"], WHOLE["inputs_hash"])))
        assert 0 < len(changed[changed < COUNT]) <= 22


def test_missing_values_are_null_and_no_bars_are_no_rows() -> None:
    assert WHOLE["return_1"][0].as_py() is None
    assert not any(np.isinf(WHOLE[name].to_numpy()).any() for name in NAMES)
    assert market_features(replace(MARKET, bars={})).num_rows == 0


def test_market_without_news_and_rates_has_all_other_features() -> None:
    nothing = Series(FIRST[None][:0], FIRST[None][:0], np.zeros(0))
    bare = replace(cut(MARKET, FIRST - np.timedelta64(999, "D")), bars=MARKET.bars)
    bare = replace(bare, published=dict.fromkeys(MARKET.published, nothing))
    found = market_features(bare)
    empty = {name for name in NAMES if found[name].null_count == found.num_rows}
    assert empty == {one.name for one in FEATURES if one.family in ("fx", "rates", "news")}


def test_registry_of_features_is_used_whole() -> None:
    assert all(isinstance(one, Feature) for one in FEATURES)
    assert set(NAMES) < set(WHOLE.column_names)
