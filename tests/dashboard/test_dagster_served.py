"""The whole way once: pages, a real webserver and code location of Dagster, and its own scheduler."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._daemon.daemon import SchedulerDaemon  # noqa: F401  # the scheduler imports it in a circle
from dagster._scheduler.scheduler import launch_scheduled_runs

from dashboard.gateway import automation as gateway
from dashboard.gateway import dagster
from dashboard.gateway.automation import BackfillPart
from strades_pipelines.settings import settings
from tests.dashboard.conftest import ClientOf
from tests.dashboard.test_automation import form, submitted
from tests.serving.serving import code_location, webserver

HOUR = timedelta(hours=1)
LOGGER = logging.getLogger("tests.scheduler")


@pytest.fixture
def home(tmp_path: Path, site: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Path]]:
    """Dagster's home and workspace file, with a code location and a webserver at work."""
    (tmp_path / "dagster.yaml").write_text(
        "telemetry: {enabled: false}\nrun_coordinator: {module: dagster, class: QueuedRunCoordinator}\n"
    )
    dagster.breaker.note(None)  # whatever tests before this one did to it
    monkeypatch.setattr(dagster, "READ_SECONDS", 20.0)  # of a machine that does something else as well
    with (
        code_location(tmp_path, "tests.dashboard.location", "strades", STRADES_TEST_WORLD=site) as workspace,
        webserver(tmp_path, workspace) as served,
    ):
        monkeypatch.setenv("STRADES_WEBSERVER_PORT", str(served.port))
        settings.cache_clear()
        yield tmp_path, workspace


@pytest.mark.slow
def test_what_a_person_asks_for_is_what_dagster_does(home: tuple[Path, Path], client_of: ClientOf) -> None:
    folder, workspace = home
    client = client_of("admin", "ada")
    page = client.get("/automation/").content.decode()
    assert "30 21 * * *" in page
    with dg.DagsterInstance.from_config(str(folder)) as instance:

        def runs_of(key: str) -> list[dg.DagsterRun]:
            return list(instance.get_runs(dg.RunsFilter(tags={"strades/request": key})))

        # Run now, twice the same form; then cancel, then again.
        sent = form()
        for _ in range(2):
            row = submitted(client, "/automation/yahoo_schedule/run/", sent)
        assert row.state == "done", row.outcome
        [launched] = runs_of(sent["key"])
        assert launched.tags["dagster/partition"] == f"{datetime.now(UTC):%Y-%m-01}"
        assert launched.tags["strades/requested_by"] == "dashboard:ada"
        assert submitted(client, f"/automation/runs/{launched.run_id}/cancel/", form()).state == "done"
        assert instance.get_run_by_id(launched.run_id).status is dg.DagsterRunStatus.CANCELED  # type: ignore[union-attr]
        again = form()
        assert submitted(client, f"/automation/runs/{launched.run_id}/again/", again).state == "done"
        [second] = runs_of(again["key"])
        assert second.parent_run_id == launched.run_id

        # Pause and resume.
        for name in ("yahoo_schedule", "data_sensor"):
            for act, status in (("pause", "STOPPED"), ("resume", "RUNNING")):
                assert submitted(client, f"/automation/{name}/{act}/", form()).state == "done"
                [state] = [one for one in instance.all_instigator_state() if one.instigator_name == name]
                assert state.status.value == status, name

        # A backfill of months.
        parts = [BackfillPart("rawsources/yahoo", "2024-01-01", "2024-02-01")]
        backfill = gateway.launch_backfill(parts, title="gaps", tags={"strades/request": "k"})
        assert gateway.read_backfill_status(backfill) == "REQUESTED"
        [stored] = instance.get_backfills()
        assert stored.tags["strades/request"] == "k"

        # Another time: the scheduler skips the old one as long as it has not heard, and ticks at the new one.
        start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + HOUR
        with WorkspaceProcessContext(instance, WorkspaceFileTarget([str(workspace)])) as daemon:

            def tick_until(first: datetime, hours: int) -> dict[str, set[str]]:
                for hour in range(hours + 1):
                    for error in launch_scheduled_runs(daemon, LOGGER, first + hour * HOUR, iteration_times={}):
                        assert not error, error
                found: dict[str, set[str]] = {}
                [state] = [one for one in instance.all_instigator_state() if one.instigator_name == "yahoo_schedule"]
                for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id):
                    at = datetime.fromtimestamp(tick.timestamp, UTC)
                    found.setdefault(f"{at:%H:%M}", set()).add(tick.status.value)
                return found

            assert tick_until(start, 0) in ({}, {"21:30": {"SUCCESS"}})
            row = submitted(client, "/automation/yahoo_schedule/move/", form(cron="15 22 * * *"))
            assert row.outcome == "in force"
            assert len(runs_of(str(row.key))) == 1  # the step ops
            assert "15 22 * * *" in client.get("/automation/").content.decode()
            assert "22:15" not in tick_until(start, 26)
            assert "SKIPPED" in tick_until(start, 26)["21:30"]
            daemon.refresh_workspace()
            before = tick_until(start + 26 * HOUR, 0)
            after = tick_until(start + 26 * HOUR, 26)
        assert after["22:15"] == {"SUCCESS"}
        assert after["21:30"] == before["21:30"]
