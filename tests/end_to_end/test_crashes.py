"""Killed with -9 at one named point after the other, then left alone: the data is that of an undisturbed run."""

import signal

import pytest

from tests.end_to_end.installation import HALF_PAST, LONG, NOON, WINDOW, installation, sandbox_at, undisturbed_outcome

pytestmark = pytest.mark.slow
# One or two of each layer. Every point of fetches is fired by scrapers/test_crashes.py, of loads by
# ingestion/test_loader.py, of trading by brokerage/test_crashes.py, with the same comparison at a tenth of the cost.
AT_NOON = (
    "fetch.page_committed",
    "records.identity_written",
    "records.copied",
    "cleaned.built",
    "features.written",
    "predictions.forecasts_written",
    "trading.replay_written",
    "results.parity_written",
    "trading.wallet_opened",
    "trading.intents_committed",
    "trading.order_sent",
    "marts.built",
    "ops.events_written",
    "ops.report_saved",
)
AT_HALF_PAST = (
    "trading.fill_recorded",
    "results.written",
)


def test_a_run_killed_at_every_point_and_repeated_ends_as_if_nobody_had_disturbed_it() -> None:
    with installation(without=LONG) as killed:
        for now, points in ((NOON, AT_NOON), (HALF_PAST, AT_HALF_PAST)):
            with sandbox_at(now) as killed.environment["STRADES_SANDBOX_URL"]:
                for point in points:
                    done = killed.strades("run", *WINDOW, now=now, crash_at=point)
                    assert done.returncode == -signal.SIGKILL, f"{point} was not reached: {done.stderr[-500:]}"
                killed.run(now=now)
        outcome = killed.outcome()
    wanted = undisturbed_outcome()
    assert [table for table, kept in wanted["hashes"].items() if outcome["hashes"][table] != kept] == []
    assert outcome == wanted
    # Else the points where the paper wallet trades would say nothing.
    assert outcome["paper_fills"] == 1
