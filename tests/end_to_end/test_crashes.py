"""Killed with -9 at one named point after the other, then left alone: the data is that of an undisturbed run."""

import signal
from collections.abc import Iterator

import pytest

from tests.end_to_end.installation import HALF_PAST, NOON, WINDOW, Installation, installation

pytestmark = pytest.mark.slow
AT_NOON = (
    "fetch.body_stored",
    "fetch.page_committed",
    "records.copied",
    "records.fetch_committed",
    "features.written",
    "predictions.forecasts_written",
    "trading.replay_written",
    "signals.decisions_committed",
    "trading.intents_committed",
    "trading.order_sent",
)
AT_HALF_PAST = ("trading.fill_recorded", "results.written")
LONG = ("ecb_history",)  # 26 years of rates, which every repeated run would work through


@pytest.fixture(scope="module")
def undisturbed() -> Iterator[Installation]:
    """Two runs, half an hour apart, that nobody disturbed."""
    with installation(without=LONG) as made:
        made.run(now=NOON)
        made.run(now=HALF_PAST)
        yield made


def test_the_paper_wallet_traded_so_that_its_crash_points_are_reached(undisturbed: Installation) -> None:
    with undisturbed.connect() as connection:
        fills = connection.execute(
            "SELECT count(*) FROM trading.fills JOIN trading.wallets USING (wallet) WHERE mode = 'paper'"
        ).fetchone()
    assert fills == (1,)


def test_a_run_killed_at_every_point_and_repeated_ends_at_the_same_hashes(undisturbed: Installation) -> None:
    with installation(without=LONG) as killed:
        for now, points in ((NOON, AT_NOON), (HALF_PAST, AT_HALF_PAST)):
            for point in points:
                done = killed.strades("run", *WINDOW, now=now, crash_at=point)
                assert done.returncode == -signal.SIGKILL, f"{point} was not reached: {done.stderr[-500:]}"
            killed.run(now=now)
        assert killed.hashes() == undisturbed.hashes()
        with killed.connect() as connection:
            twice = connection.execute("SELECT count(*) FROM trading.paper_venue_orders").fetchone()
        with undisturbed.connect() as connection:
            assert connection.execute("SELECT count(*) FROM trading.paper_venue_orders").fetchone() == twice
