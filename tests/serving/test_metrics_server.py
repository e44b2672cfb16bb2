"""/metrics over HTTP: every metric with its help, the figures of a real database, and what others may ask for."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import uvicorn
from prometheus_client.parser import text_string_to_metric_families

from strades_pipelines.database import connection as places
from strades_pipelines.serving import metrics_server
from strades_pipelines.serving.metrics_server import guarded_metrics
from strades_pipelines.settings import PROJECT, settings
from strades_pipelines.supervision.alert_rules import OUTSIDE_RULES, RULES
from strades_pipelines.supervision.metric_definitions import METRICS
from strades_pipelines.system.ports import free_port

NAMES = {metric.name for metric in METRICS}


@pytest.fixture
def page(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of the page, of a world without Dagster's tables."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("STRADES_HOME", str(tmp_path))
    monkeypatch.setitem(places.WORLD_DATABASES, "sandbox", urlsplit(database_url).path[1:])
    monkeypatch.setattr(metrics_server, "DAGSTER_DATABASE", "dagster_of_nobody")  # other tests may have made `dagster`
    settings.cache_clear()
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(guarded_metrics(), port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}/metrics"
    server.should_exit = True
    thread.join()
    settings.cache_clear()


def test_every_metric_is_there_and_a_part_that_cannot_be_read_hides_no_other(page: str, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO ops.recovery_drills (drill, started_at) VALUES ('d', now() - interval '1 hour')"
        )
    with urllib.request.urlopen(page) as response:
        families = {family.name: family for family in text_string_to_metric_families(response.read().decode())}
    assert set(families) == NAMES
    assert all(family.documentation and family.type == "gauge" for family in families.values())

    def values(name: str) -> dict[str, float]:
        return {" ".join(sample.labels.values()): sample.value for sample in families[name].samples}

    assert values("strades_read_failed") == {"world": 0.0, "sources": 1.0, "dagster": 1.0, "files": 0.0}
    assert 3600 <= values("strades_recovery_drill_age_seconds")[""] < 3700
    assert values("strades_orders_unknown") == {"": 0.0}
    assert 0 < values("strades_disk_free_ratio")["home"] < 1
    assert values("strades_database_bytes")[urlsplit(database_url).path[1:]] > 1_000_000
    assert values("strades_wal_archive_failing") == {}  # this server archives nothing


def test_health_is_answered_without_a_query(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`strades up` asks every few seconds; a scrape would take a third of one each time."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    settings.cache_clear()
    with urllib.request.urlopen(page.replace("/metrics", "/health")) as response:
        assert response.read() == b"ok\n"


def test_a_page_of_another_site_is_refused(page: str) -> None:
    request = urllib.request.Request(page, headers={"Origin": "http://evil.example"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request)


def test_what_dashboard_and_rules_ask_for_is_exported_and_nothing_is_left_out() -> None:
    board = json.loads((PROJECT / "deploy" / "grafana" / "strades.json").read_text())
    shown = {target["expr"] for panel in board["panels"] for target in panel["targets"]}
    assert shown == NAMES
    assert {rule.metric for rule in (*RULES, *OUTSIDE_RULES)} <= NAMES
