"""When a figure wants a person: one table for `strades watch`, `strades up` and Prometheus.

`python -m strades_pipelines.supervision.alert_rules` prints `deploy/prometheus/alerts.yml`; a test compares them.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from strades_pipelines.supervision.metric_definitions import PARTS, READ_FAILED
from strades_pipelines.supervision.metrics import Sample
from strades_pipelines.supervision.watchdog import Lag

HOUR, DAY = 3600, 86400


@dataclass(frozen=True)
class AlertRule:
    """Alert while a sample of `metric` is above, or below, a bound.

    Args:
        title: the subject of the message, before the sample's labels.
        advice: what to do, in one line.
        severity: page for what costs money now, else warn.
    """

    name: str
    metric: str
    title: str
    advice: str
    above: float | None = None
    below: float | None = None
    severity: str = "warn"

    @property
    def condition(self) -> str:
        """As Prometheus reads it."""
        return f"{self.metric} > {self.above:.10g}" if self.above is not None else f"{self.metric} < {self.below:.10g}"

    def is_met(self, value: float) -> bool:
        """Whether a value wants a person."""
        return (self.above is not None and value > self.above) or (self.below is not None and value < self.below)


RULES = (
    AlertRule("SourceOverdue", "strades_source_overdue_seconds", "no good answer of a source",
              "see *Sources* on the dashboard and `strades doctor`", above=2 * HOUR),
    AlertRule("StreamSilent", "strades_stream_age_seconds", "a stream is silent",
              "see `strades doctor`; is the venue up?", above=900),
    AlertRule("StreamsUnkept", "strades_stream_report_age_seconds", "no process keeps the streams of",
              "see the log of `streams`, or start `strades up`", above=300),
    AlertRule("OrderUnknown", "strades_orders_unknown", "orders are in doubt",
              "ask their venue; `strades doctor` names them", above=0, severity="page"),
    AlertRule("FindingOpen", "strades_findings_open", "our books and a venue's differ",
              "see *Halts* on the dashboard, or `strades doctor`", above=0, severity="page"),
    AlertRule("DiskLow", "strades_disk_free_ratio", "a disk is nearly full",
              "make room: without it PostgreSQL stops", below=0.1, severity="page"),
    AlertRule("BackupOld", "strades_backup_age_seconds", "the newest scheduled backup is old",
              "see the log of `backup`", above=26 * HOUR),
    AlertRule("BaseBackupOld", "strades_base_backup_age_seconds", "the newest base backup is old",
              "see the last run of `nightly_base_backup_job`", above=26 * HOUR),
    AlertRule("RecoveryDrillFailed", "strades_recovery_drill_failed", "the recovery drill failed",
              "see `ops.recovery_drills`; then `strades db drill`", above=0),
    AlertRule("WalArchiveFailing", "strades_wal_archive_failing", "WAL is not archived",
              "see the server's log: the home's disk fills up until STRADES_ARCHIVE can be written", above=0,
              severity="page"),
    AlertRule("WalArchiveBehind", "strades_wal_unarchived_seconds", "WAL waits for the archive",
              "see the server's log: is STRADES_ARCHIVE mounted, and does `archive_command` run?", above=900,
              severity="page"),
    AlertRule("RunQueued", "strades_oldest_queued_run_seconds", "a run waits in the queue",
              "see *Runs* in Dagster: what holds its pool, or both places?", above=2 * HOUR),
    AlertRule("ModelOld", "strades_model_age_seconds", "no model was trained",
              "see *predictions* in Dagster", above=45 * DAY),
    AlertRule("PredictionsMissing", "strades_prediction_coverage_ratio", "forecasts have no value",
              "see `predictions.failures`", below=0.5),
    AlertRule("FiguresUnreadable", "strades_read_failed", "figures cannot be read:",
              "see `strades doctor`: is the database up?", above=0, severity="page"),
)  # fmt: skip
# `strades up` restarts a daemon that is silent, and says so in its own words.
OUTSIDE_RULES = (
    AlertRule("DaemonSilent", "strades_daemon_heartbeat_age_seconds", "a daemon of Dagster is silent",
              "see the log of `daemon`", above=600, severity="page"),
)  # fmt: skip
DEAD_MAN = {
    "alert": "StradesGone",
    "expr": 'absent(up{job="strades"} == 1)',
    "for": "3m",
    "labels": {"severity": "page"},
    "annotations": {"summary": "nothing answers at /metrics: see the log of `strades up`, or of `metrics`"},
}


def alerts_due(samples: Iterable[Sample]) -> Iterator[Lag]:
    """What a person should hear of, by `RULES`; each has a name of its own, by which it is told once."""
    rules = {rule.metric: rule for rule in RULES}
    part_of = {metric.name: part for part, metrics in PARTS.items() for metric in metrics} | {READ_FAILED.name: ""}
    for sample in samples:
        rule = rules.get(sample.name)
        if rule is not None and rule.is_met(sample.value):
            labels = " ".join(sample.labels.values())
            detail = f"{rule.metric} is {sample.value:.6g}; {rule.advice}"
            yield Lag(f"{rule.title} {labels}".strip(), detail, part_of[rule.metric])


def unread_parts(samples: Iterable[Sample]) -> set[str]:
    """The parts whose figures could not be read: nobody knows whether what was behind there still is."""
    return {sample.labels["part"] for sample in samples if sample.name == READ_FAILED.name and sample.value}


def prometheus_rules() -> dict[str, Any]:
    """The same rules as a document of Prometheus."""
    rules = [
        {
            "alert": rule.name,
            "expr": rule.condition,
            "for": "1m",
            "labels": {"severity": rule.severity},
            "annotations": {"summary": f"{rule.title}: {rule.advice}"},
        }
        for rule in (*RULES, *OUTSIDE_RULES)
    ]
    return {"groups": [{"name": "strades", "rules": [*rules, DEAD_MAN]}]}


if __name__ == "__main__":
    print(json.dumps(prometheus_rules(), indent=2))  # JSON is YAML
