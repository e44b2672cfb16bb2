"""What a person has Dagster do: each form is one launch, with who and why; the rights; Dagster stopped."""

import html
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from dashboard.gateway import automation as gateway
from dashboard.gateway import dagster
from dashboard.scheduler.models import DagsterRequest
from strades_pipelines.database.connection import connect
from strades_pipelines.datamanager.host_limits import TIMEOUT, HostLimits
from strades_pipelines.settings import settings
from strades_pipelines.system.ports import free_port
from tests.brokerage.conftest import rows
from tests.dashboard.conftest import CLOCK, ClientOf
from tests.dashboard.recorded import HOSTILE, NEW_RUN, OWN_CRON, RUN_ID, Recorded, recorded_dagster, run
from tests.dashboard.test_today import MOST_QUERIES

if TYPE_CHECKING:
    from django.test import Client

OVERRIDES = "SELECT schedule, cron, is_own, requested_by, reason FROM ops.schedule_overrides ORDER BY override_id"


@pytest.fixture
def recorded(site: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    """The dashboard beside a webserver of recorded answers."""
    dagster.breaker.note(None)  # whatever tests before this one did to it
    with recorded_dagster() as served:
        monkeypatch.setenv("STRADES_WEBSERVER_PORT", str(served.port))
        settings.cache_clear()
        yield served


def form(reason: str = "late news", **more: str) -> dict[str, str]:
    """What a page's form sends."""
    return {"key": str(uuid4()), "reason": reason} | more


def submitted(client: "Client", path: str, sent: dict[str, str]) -> DagsterRequest:
    """Send a form; returns the row that it left."""
    answer = client.post(path, sent)
    assert (answer.status_code, answer["Location"]) == (302, f"/automation/requests/{sent['key']}/")
    row: DagsterRequest = DagsterRequest.objects.get(key=sent["key"])
    return row


def test_schedules_are_shown_with_the_acts_of_a_role_and_hostile_text_as_text(
    recorded: Recorded, client_of: ClientOf
) -> None:
    client = client_of("analyst")
    page = client.get("/automation/").content.decode()
    assert "yahoo_schedule" in page
    assert html.escape(HOSTILE) in page
    assert "<script>" not in page
    links = set(re.findall(r'href="/automation/(\w+)/(\w+)/"', page))
    assert ("yahoo_schedule", "run") in links
    assert ("data_sensor", "pause") in links
    assert not {name for name, act in links if name in ("trade_sensor", "reconcile_schedule") or act == "move"}
    assert ("yahoo_schedule", "move") in re.findall(
        r'href="/automation/(\w+)/(\w+)/"', client_of("admin").get("/automation/").content.decode()
    )
    viewer = client_of("viewer")
    assert "/run/" not in viewer.get("/automation/").content.decode()
    run_page = viewer.get(f"/automation/runs/{RUN_ID}/").content.decode()
    assert html.escape(HOSTILE) in run_page
    for path in ("/automation/", f"/automation/runs/{RUN_ID}/", "/automation/requests/", "/calendar/"):
        with (
            CaptureQueriesContext(connections["default"]) as own,
            CaptureQueriesContext(connections["layers"]) as layers,
        ):
            assert viewer.get(path).status_code == 200
        queries = [query["sql"] for query in (*own.captured_queries, *layers.captured_queries)]
        assert len([query for query in queries if query not in ("BEGIN", "COMMIT")]) <= MOST_QUERIES, path


def test_a_host_that_is_not_asked_is_shown_with_its_reason_as_text(
    recorded: Recorded, site: str, client_of: ClientOf
) -> None:
    with connect(site) as connection:
        limits = HostLimits(connection, 300)
        limits.pause("api.gateio.ws", 3600, HOSTILE)
        for _ in range(3):
            limits.fail("data.sec.gov", TIMEOUT, "no answer")
        limits.answered("fred.stlouisfed.org")
    page = client_of("viewer").get("/automation/").content.decode()
    hosts = dict(re.findall(r"<tr><td>([a-z.]+)</td><td>(.*?)</td>", page))
    assert "wants a pause" in hosts["api.gateio.ws"]
    assert html.escape(HOSTILE) in hosts["api.gateio.ws"]
    assert "does not answer" in hosts["data.sec.gov"]
    assert "is asked" in hosts["fred.stlouisfed.org"]


def test_the_same_form_twice_is_one_launch_that_says_who_asked_and_why(recorded: Recorded, client_of: ClientOf) -> None:
    client, sent, path = client_of("analyst", "ada"), form(), "/automation/yahoo_schedule/run/"
    assert "What is stored already is not fetched again" in client.get(path).content.decode()
    for _ in range(2):
        row = submitted(client, path, sent)
    assert recorded.names() == ["EvaluateSchedule", "LaunchRun"]
    tags = {
        tag["key"]: tag["value"] for tag in recorded.variables("LaunchRun")["execution"]["executionMetadata"]["tags"]
    }
    assert recorded.variables("LaunchRun")["execution"]["selector"]["jobName"] == "fetch_yahoo_job"
    assert tags == {
        "dagster/partition": "2024-01-01",
        "strades/request": sent["key"],
        "strades/requested_by": "dashboard:ada",
    }
    assert (row.state, row.run_ids, row.requested_by, row.reason) == ("done", [NEW_RUN], "dashboard:ada", "late news")
    # The key of one act is no other act, and no other person's.
    assert client.post("/automation/data_sensor/pause/", sent).status_code == 409
    assert client_of("analyst", "bob").post(path, sent).status_code == 409
    for wrong in ({}, form(reason=" "), form(reason="x" * 301), form() | {"key": "1"}):
        assert client.post(path, wrong).status_code == 400, wrong
    assert recorded.names() == ["EvaluateSchedule", "LaunchRun"]
    for name in ("nobody_schedule", "data_sensor"):
        assert client.post(f"/automation/{name}/run/", form()).status_code == 404


def test_a_server_that_is_killed_after_the_row_loses_and_doubles_nothing(
    recorded: Recorded, client_of: ClientOf
) -> None:
    client, sent, path = client_of("analyst", "ada"), form(), "/automation/yahoo_schedule/run/"
    code = (
        "import django\ndjango.setup()\nfrom django.test import Client\nfrom dashboard.accounts.models import User\n"
        "client = Client(SERVER_NAME='127.0.0.1')\nclient.force_login(User.objects.get(pseudo='ada'))\n"
        f"client.post({path!r}, {sent!r})"
    )
    environment = os.environ | {"STRADES_CRASH_AT": "dashboard.request_kept"}
    environment["DJANGO_SETTINGS_MODULE"] = "dashboard.settings"
    died = subprocess.run(
        [sys.executable, "-c", code], env=environment, start_new_session=True, check=False, timeout=60
    )
    assert died.returncode == -signal.SIGKILL
    row = DagsterRequest.objects.get(key=sent["key"])
    assert (row.state, row.requested_by, row.reason) == ("waits", "dashboard:ada", "late news")
    submitted(client, path, sent)  # whoever sends it again is shown the request; nothing is launched behind their back
    assert recorded.names() == []
    DagsterRequest.objects.update(requested_at=CLOCK)  # an hour ago and more
    assert "It is not sent again by itself" in client.get(f"/automation/requests/{sent['key']}/").content.decode()
    submitted(client, path, form())
    assert recorded.names() == ["EvaluateSchedule", "LaunchRun"]


def test_what_gets_no_answer_is_not_known_and_is_not_sent_again(
    recorded: Recorded, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dagster, "WRITE_SECONDS", 0.2)
    recorded.answers["LaunchRun"] = 0.5
    client, sent = client_of("analyst"), form()
    row = submitted(client, "/automation/yahoo_schedule/run/", sent)
    assert row.state == "unknown"
    submitted(client, "/automation/yahoo_schedule/run/", sent)
    assert recorded.names() == ["EvaluateSchedule", "LaunchRun"]
    page = client.get(f"/automation/requests/{sent['key']}/").content.decode()
    assert "It is not sent again by itself" in page
    assert RUN_ID in page  # the run that has its tag
    assert recorded.variables("Runs")["filter"] == {"tags": [{"key": "strades/request", "value": sent["key"]}]}
    recorded.answers["EvaluateSchedule"] = {
        "__typename": "DryRunInstigationTick",
        "evaluationResult": {"runRequests": [], "skipReason": "<i>nothing</i>", "error": None},
    }
    row = submitted(client, "/automation/yahoo_schedule/run/", form())
    assert (row.state, row.outcome) == ("failed", "<i>nothing</i>")
    assert "<i>nothing" not in client.get("/automation/requests/").content.decode()


def test_pausing_what_trades_is_a_halt_and_resuming_it_a_resume(recorded: Recorded, client_of: ClientOf) -> None:
    analyst, trader = client_of("analyst"), client_of("trader", second_factor=False)
    assert analyst.post("/automation/trade_sensor/pause/", form()).status_code == 403
    submitted(trader, "/automation/trade_sensor/pause/", form())
    assert recorded.variables("StopSensor") == {"id": "id:trade_sensor"}
    for path in ("/automation/reconcile_schedule/resume/", "/automation/reconcile_schedule/run/"):
        assert analyst.post(path, form()).status_code == 403
        assert trader.post(path, form())["Location"] == "/account/second-factor/app/"
    submitted(client_of("trader", "bob"), "/automation/reconcile_schedule/resume/", form())
    assert recorded.variables("StartSchedule")["schedule"]["scheduleName"] == "reconcile_schedule"
    recorded.answers["Run"] = {"__typename": "Run", **run(RUN_ID, "FAILURE", layer="trading")}
    assert analyst.post(f"/automation/runs/{RUN_ID}/again/", form()).status_code == 403
    submitted(analyst, "/automation/data_sensor/pause/", form())
    submitted(analyst, "/automation/yahoo_schedule/pause/", form())
    assert recorded.names() == ["StopSensor", "StartSchedule", "StopSensor", "StopSchedule"]


def test_a_run_is_cancelled_while_it_runs_and_run_again_when_it_is_over(
    recorded: Recorded, client_of: ClientOf
) -> None:
    client = client_of("analyst")
    stale = client.post(f"/automation/runs/{RUN_ID}/again/", form())
    assert (stale.status_code, "It changed since" in stale.content.decode()) == (409, True)
    assert client.post("/automation/yahoo_schedule/resume/", form()).status_code == 409  # it runs
    submitted(client, f"/automation/runs/{RUN_ID}/cancel/", form())
    recorded.answers["Run"] = {"__typename": "Run", **run(RUN_ID, "FAILURE")}
    sent = form()
    assert submitted(client, f"/automation/runs/{RUN_ID}/again/", sent).run_ids == [NEW_RUN]
    assert {"key": "strades/request", "value": sent["key"]} in recorded.variables("Rerun")["reexecution"]["extraTags"]
    recorded.answers["Run"] = {"__typename": "RunNotFoundError", "message": "no"}
    for path in (f"/automation/runs/{NEW_RUN}/", "/automation/runs/%00/", "/automation/runs/x'/"):
        assert client.get(path).status_code == 404, path


def test_the_page_of_a_run_reads_itself_again(recorded: Recorded, client_of: ClientOf) -> None:
    client, path, ask = client_of("viewer"), f"/automation/runs/{RUN_ID}/", {"X-Strades-Part": "live"}
    assert "Refresh" not in client.get(path).headers  # a page that loads itself anew takes the place and the focus away
    before = client.get(path, headers=ask)
    assert client.get(path, headers={**ask, "If-None-Match": before["ETag"]}).status_code == 304
    recorded.answers["Run"] = {"__typename": "Run", **run(RUN_ID, "FAILURE")}
    after = client.get(path, headers={**ask, "If-None-Match": before["ETag"]})
    assert after.status_code == 200
    assert 'data-news="run: failure"' in after.content.decode()


def test_a_schedule_is_given_other_times_and_its_own_again(
    recorded: Recorded, client_of: ClientOf, connection: psycopg.Connection[Any]
) -> None:
    client, path = client_of("admin", "ada"), "/automation/yahoo_schedule/move/"
    page = client.get(f"{path}?cron=61+*+*+*+*")
    assert page.status_code == 400
    assert "a minute of 0 to 59" in page.content.decode()
    assert client.post(path, form(cron="@daily")).status_code == 400
    assert rows(connection, OVERRIDES) == []
    page = client.get(f"{path}?cron=15+22+*+*+*").content.decode()
    assert len(re.findall(r"<li><span><time [^>]*>[^<]*22:15", page)) == 5
    row = submitted(client, path, form(cron="15  22 * * *"))
    assert (row.state, row.run_ids) == ("done", [NEW_RUN])
    assert recorded.names() == ["ReloadLocation", "LaunchRun"]
    selected = recorded.variables("LaunchRun")["execution"]["selector"]["assetSelection"]
    assert {"path": ["ops", "ticks"]} in selected
    submitted(client, path, form("back", cron=OWN_CRON))
    connection.rollback()
    assert rows(connection, OVERRIDES) == [
        ("yahoo_schedule", "15 22 * * *", False, "dashboard:ada", "late news"),
        ("yahoo_schedule", OWN_CRON, True, "dashboard:ada", "back"),
    ]
    for role in ("viewer", "analyst", "trader"):
        assert client_of(role).post(path, form(cron="0 1 * * *")).status_code == 403
    assert client.get("/automation/data_sensor/move/").status_code == 404


def test_new_times_are_in_force_even_where_dagster_cannot_be_told(
    recorded: Recorded, client_of: ClientOf, connection: psycopg.Connection[Any]
) -> None:
    recorded.answers["ReloadLocation"] = {"__typename": "PythonError", "message": "cannot"}
    row = submitted(client_of("admin"), "/automation/yahoo_schedule/move/", form(cron="0 1 * * *"))
    assert (row.state, row.outcome.startswith("in force; ")) == ("done", True)
    assert [cron for _, cron, *_ in rows(connection, OVERRIDES)] == ["0 1 * * *"]


def test_without_dagster_pages_say_so_and_nothing_is_asked_for(
    recorded: Recorded, client_of: ClientOf, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.execute("INSERT INTO ops.schedules VALUES ('yahoo_schedule', 'schedule', '0 1 * * *', 'RUNNING')")
    connection.commit()
    monkeypatch.setenv("STRADES_WEBSERVER_PORT", str(free_port()))
    settings.cache_clear()
    client = client_of("admin")
    page = client.get("/automation/").content.decode()
    assert "Dagster is not reachable" in page
    assert "yahoo_schedule" in page
    assert "/run/" not in page
    for path in ("yahoo_schedule/run", "yahoo_schedule/move", f"runs/{RUN_ID}", f"runs/{RUN_ID}/cancel"):
        answer = client.get(f"/automation/{path}/")
        assert answer.status_code == 503, path
        assert "Dagster is not reachable" in answer.content.decode()
    assert client.post("/automation/yahoo_schedule/run/", form()).status_code == 503
    assert not DagsterRequest.objects.exists()


def test_names_of_what_trades_are_those_of_the_wiring() -> None:
    from strades_pipelines.defs.automation.movable_schedule import OWN_CRON as LABEL
    from strades_pipelines.defs.ops.assets import TABLES
    from strades_pipelines.defs.trading.execution_job import EXECUTE_JOB, RECONCILE_SCHEDULE, trade_sensor

    assert {EXECUTE_JOB.name, trade_sensor.job_name, RECONCILE_SCHEDULE.job_name} == {gateway.TRADING_JOB}
    assert EXECUTE_JOB.tags is not None
    assert gateway.TRADING_TAG in EXECUTE_JOB.tags
    assert set(gateway.OPS_TABLES) == set(TABLES)
    assert LABEL == gateway.OWN_CRON
