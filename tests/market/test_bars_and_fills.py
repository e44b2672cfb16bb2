from datetime import UTC, datetime, timedelta, timezone

from strades_pipelines.market.bars_and_fills import Bar, stamp


def test_a_stamp_is_utc_with_z() -> None:
    paris = timezone(timedelta(hours=1))
    assert stamp(datetime(2024, 1, 2, 1, 30, tzinfo=paris)) == "2024-01-02T00:30:00Z"


def test_a_bar_is_named_by_its_interval_and_open() -> None:
    opened = datetime(2024, 1, 2, tzinfo=UTC)
    bar = Bar(0, 1, "1d", opened, opened, 1.0, 2.0, 0.5, 1.5, 10.0, opened)
    assert bar.content_id == "1d@2024-01-02T00:00:00Z"
