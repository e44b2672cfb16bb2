"""Whether a source's schedule leaves a wallet's decisions young enough to trade."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from strades_pipelines.brokerage.decision_age import ages, bar_closes, outlooks
from strades_pipelines.brokerage.wallets import WalletTemplate
from strades_pipelines.datamanager.sources import Instrument, Sources, load_sources
from strades_pipelines.settings import PROJECT

NOW = datetime(2024, 3, 15, 12, tzinfo=UTC)  # Friday
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
TEMPLATE = WalletTemplate(
    "w", "paper", "sma_cross", {}, ("yahoo:AAPL",), "1d", "USD", Decimal(1), Decimal(0), 15 * MINUTE, None
)
Change = Callable[[Instrument], Instrument]


def sources(schedule: str, change: Change = lambda instrument: replace(instrument, end_date=None)) -> Sources:
    """The shipped sources, with another schedule, whose stocks go on."""
    shipped = load_sources(PROJECT / "Sources.json")
    return Sources(
        tuple(replace(site, schedule=schedule) for site in shipped.websites),
        tuple(map(change, shipped.instruments)),
    )


@pytest.mark.parametrize(
    ("schedule", "stale", "of"),
    [
        ("30 21 * * 1-5", 0, 19),  # half an hour after the close
        ("0 6 * * *", 0, 19),  # the next morning
        ("0 6 * * 1-5", 4, 19),  # Friday's close waits until Monday
        ("0 12 * * 3", 15, 19),  # once a week: only Tuesday's is young enough
        ("0 12 * * 0", 19, 19),  # on Sunday, 39 hours after the last close
    ],
)
def test_daily_decisions_count_from_a_day_after_their_close_at_the_latest(schedule: str, stale: int, of: int) -> None:
    [found], problems = outlooks(TEMPLATE, sources(schedule), now=NOW)
    assert problems == []
    assert (found.stale, found.decisions) == (stale, of)
    assert found.is_hopeless == (stale == of)


@pytest.mark.parametrize(
    ("schedule", "stale"), [("*/5 * * * *", 0), ("0 * * * *", 46 / 60), ("0 3 * * *", 1426 / 1440)]
)
def test_minute_decisions_wait_for_the_next_fetch(schedule: str, stale: float) -> None:
    template = replace(TEMPLATE, instruments=("gateio:BTC_USDT",), interval="1m")
    [found], _ = outlooks(template, sources(schedule), now=NOW)
    assert found.decisions == 7 * 1440
    assert found.stale == pytest.approx(stale * found.decisions)


def test_a_limit_below_what_the_work_takes_refuses_all() -> None:
    template = replace(TEMPLATE, instruments=("gateio:BTC_USDT",), interval="1m", max_age=MINUTE)
    [found], _ = outlooks(template, sources("*/5 * * * *"), now=NOW)
    assert found.is_hopeless


def test_an_instrument_without_bars_to_come_is_named() -> None:
    ended = replace(TEMPLATE, instruments=("yahoo:AAPL", "yahoo:NOBODY"))
    shipped = load_sources(PROJECT / "Sources.json")
    assert outlooks(ended, shipped, now=NOW) == (
        [],
        ["yahoo:AAPL 1d: its bars end at 2013-03-02", "yahoo:NOBODY 1d: nothing fetches it"],
    )


def test_bars_of_a_session_close_within_it() -> None:
    closes = bar_closes("XNYS", HOUR, datetime(2024, 3, 14, tzinfo=UTC), datetime(2024, 3, 15, tzinfo=UTC))
    assert [close.strftime("%H:%M") for close in closes] == ["14:30", "15:30", "16:30", "17:30", "18:30", "19:30"]


def test_a_bar_that_no_fetch_follows_has_no_age() -> None:
    assert ages([NOW], [NOW - DAY, NOW], MINUTE) == []
    assert ages([NOW], [NOW + HOUR], MINUTE) == [HOUR + MINUTE]
