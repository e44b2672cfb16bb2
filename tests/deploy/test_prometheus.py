"""Prometheus's own tool takes our files, and by its own evaluation each rule fires at its bound and not before it."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from strades_pipelines.settings import PROJECT

FOLDER = PROJECT / "deploy" / "prometheus"
# By the table of docs/deploy.md: a series, its value that wants a person, and the nearest one that wants nobody.
BOUNDS = {
    "SourceOverdue": ('strades_source_overdue_seconds{source="x"}', 7201, 7200),
    "StreamSilent": ('strades_stream_age_seconds{source="x",stream="trades"}', 901, 900),
    "StreamsUnkept": ('strades_stream_report_age_seconds{source="x"}', 301, 300),
    "OrderUnknown": ('strades_orders_unknown{broker="x"}', 1, 0),
    "FindingOpen": ('strades_findings_open{broker="x"}', 1, 0),
    "DiskLow": ('strades_disk_free_ratio{folder="home"}', 0.09, 0.1),
    "BackupOld": ("strades_backup_age_seconds", 93601, 93600),
    "BaseBackupOld": ("strades_base_backup_age_seconds", 93601, 93600),
    "RecoveryDrillFailed": ("strades_recovery_drill_failed", 1, 0),
    "WalArchiveFailing": ("strades_wal_archive_failing", 1, 0),
    "WalArchiveBehind": ("strades_wal_unarchived_seconds", 901, 900),
    "RunQueued": ("strades_oldest_queued_run_seconds", 7201, 7200),
    "ModelOld": ("strades_model_age_seconds", 3888001, 3888000),
    "PredictionsMissing": ("strades_prediction_coverage_ratio", 0.49, 0.5),
    "FiguresUnreadable": ('strades_read_failed{part="x"}', 1, 0),
    "DaemonSilent": ('strades_daemon_heartbeat_age_seconds{daemon="x"}', 601, 600),
    "StradesGone": ('up{job="strades"}', 0, 1),
}


def promtool(*words: object) -> None:
    program = shutil.which("promtool")
    if program is None:  # its package has 96 MB, and serves at a port: .ci/run leaves it out
        pytest.skip("promtool is not installed; on Debian: apt-get install --no-install-recommends prometheus")
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def rules(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    document = yaml.safe_load((folder / "alerts.yml").read_text())
    return {rule["alert"]: rule for rule in document["groups"][0]["rules"]}


def labels_of(series: str) -> dict[str, str]:
    pairs = [pair.split("=") for pair in series.partition("{")[2].rstrip("}").split(",") if pair]
    return {name: value.strip('"') for name, value in pairs}


def case(rule: dict[str, Any], series: str, value: float, *, fires: bool) -> dict[str, Any]:
    """A metric that has a value for ten minutes: the alert, or none, after five, and none in the first."""
    labels = {} if rule["alert"] == "StradesGone" else labels_of(series)  # `absent` of a comparison has none
    alert = {"exp_labels": {**labels, **rule["labels"]}, "exp_annotations": rule["annotations"]}
    return {
        "interval": "1m",
        "input_series": [{"series": series, "values": f"{value}x10"}],
        "alert_rule_test": [
            {"eval_time": "30s", "alertname": rule["alert"], "exp_alerts": []},
            {"eval_time": "5m", "alertname": rule["alert"], "exp_alerts": [alert] if fires else []},
        ],
    }


def test_promtool_takes_the_rules_and_the_configuration() -> None:
    promtool("check", "rules", "--lint-fatal", FOLDER / "alerts.yml")
    promtool("check", "config", "--lint-fatal", FOLDER / "prometheus.yml")


def test_each_rule_fires_at_its_bound_by_the_evaluation_of_prometheus(tmp_path: Path) -> None:
    known = rules()
    assert set(known) == set(BOUNDS)
    tests = [
        case(known[name], series, value, fires=fires)
        for name, (series, bad, good) in BOUNDS.items()
        for value, fires in ((bad, True), (good, False))
    ]
    shutil.copy(FOLDER / "alerts.yml", tmp_path)
    file = tmp_path / "test.yml"
    file.write_text(yaml.safe_dump({"rule_files": ["alerts.yml"], "evaluation_interval": "1m", "tests": tests}))
    promtool("test", "rules", file)
