"""Killed with -9 at one named point after the other, then left alone: the data is that of an undisturbed run."""

import json
import signal
from typing import Any

import pytest

from tests.end_to_end.installation import HALF_PAST, LONG, NOON, WINDOW, installation, sandbox_at, undisturbed

pytestmark = pytest.mark.slow
AT_NOON = (
    "fetch.body_stored",
    "fetch.page_committed",
    "fetch.half_done",
    "records.identity_written",
    "database.rows_written",
    "records.copied",
    "records.fetch_committed",
    "cleaned.built",
    "features.written",
    "predictions.forecasts_written",
    "trading.replay_written",
    "results.parity_written",
    "trading.wallet_opened",
    "signals.decisions_written",
    "signals.decisions_committed",
    "trading.intents_written",
    "trading.intents_committed",
    "trading.order_submitting",
    "trading.order_sent",
    "marts.built",
    "ops.events_written",
    "ops.report_saved",
)
AT_HALF_PAST = (
    "trading.fill_written",
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
    wanted = expected()
    assert [table for table, kept in wanted["hashes"].items() if outcome["hashes"][table] != kept] == []
    assert outcome == wanted
    # Else the points where the paper wallet trades would say nothing.
    assert outcome["paper_fills"] == 1


def expected() -> dict[str, Any]:
    """The outcome of two runs, half an hour apart, that nobody disturbed."""
    if undisturbed().exists():
        kept: dict[str, Any] = json.loads(undisturbed().read_text())
        return kept
    with installation(without=LONG) as made:
        made.run(now=NOON)
        made.run(now=HALF_PAST)
        return made.outcome()
