from datetime import UTC, datetime, timedelta
from itertools import permutations

from strades_pipelines.market.events import Bar, Event, Prediction, Timer, order_key
from tests.strategy.builders import fill_event

T = datetime(2024, 1, 1, tzinfo=UTC)


def bar(listing_id: int, known: datetime) -> Bar:
    return Bar(0, listing_id, "1m", known - timedelta(minutes=1), known, 1, 1, 1, 1, 1, known)


def test_events_have_one_order_whatever_the_order_they_came_in() -> None:
    expected: list[Event] = [
        bar(1, T),
        bar(2, T),
        Prediction(0, 1, "A", "model", 0.0, T),
        Prediction(0, 1, "B", "model", 0.0, T),
        fill_event(known_at=T),
        Timer(T),
        bar(1, T + timedelta(minutes=1)),
    ]
    for shuffled in permutations(expected):
        assert sorted(shuffled, key=order_key) == expected


def test_a_bar_is_named_by_its_interval_and_open() -> None:
    assert bar(1, T).content_id == "1m@2023-12-31T23:59:00Z"
