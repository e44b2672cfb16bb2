"""Definitions of what is measured: names and units as Prometheus wants them, each with its query where it has one.

Base units: seconds, bytes, ratios of 1. Ages of the market's data are by the world's clock (`%(now)s`; the sandbox may
hold it), all others by the real one (`%(real_now)s`).
"""

from dataclasses import dataclass

LARGEST_TABLES = 10


@dataclass(frozen=True)
class Metric:
    """A gauge. `query`, where it has one, gives a row of label values and the value for each sample."""

    name: str
    text: str
    labels: tuple[str, ...] = ()
    query: str = ""


TABLES = f"""
    SELECT n.nspname || '.' || c.relname, sum(pg_total_relation_size(part.oid))::bigint FROM pg_class AS c
    INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_inherits AS i ON i.inhparent = c.oid
    INNER JOIN pg_class AS part ON part.oid = coalesce(i.inhrelid, c.oid)
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition GROUP BY c.oid, n.nspname, c.relname
    ORDER BY 2 DESC LIMIT {LARGEST_TABLES}
"""
ARCHIVES = "current_setting('archive_mode') <> 'off'"
SOURCE_AGE = Metric(
    "strades_source_age_seconds",
    "Since the last good answer of a source.",
    ("source",),
    """
    SELECT s.name, extract(epoch FROM %(now)s - (SELECT max(f.fetched_at) FROM rawsources.fetches AS f
        WHERE f.source = s.name AND f.outcome <> 'failed')) FROM unnest(%(sources)s::text[]) AS s (name)
    """,
)
STREAM_REPORT_AGE = Metric(
    "strades_stream_report_age_seconds",
    "Since a process last said how the streams of a source do that are wanted, and were kept before.",
    ("source",),
    """
    SELECT source, extract(epoch FROM %(real_now)s - max(updated_at)) FROM ops.stream_states
    WHERE source = ANY(%(streamed)s) GROUP BY 1
    """,
)
WORLD_METRICS = (
    Metric(
        "strades_stream_age_seconds",
        "Since the newest record of a stream that is kept.",
        ("source", "instrument"),
        """
        SELECT source, instrument_id, extract(epoch FROM updated_at - last_frame_at) FROM ops.stream_states
        WHERE updated_at > %(real_now)s - %(fresh)s AND last_frame_at IS NOT NULL
        """,
    ),
    Metric(
        "strades_stream_gaps",
        "Stretches of a stream that are being asked for again.",
        ("source", "instrument"),
        "SELECT source, instrument_id, gaps FROM ops.stream_states WHERE updated_at > %(real_now)s - %(fresh)s",
    ),
    Metric("strades_rejects", "Rejected rows of stored bodies.", (), "SELECT sum(rejects) FROM records.parses"),
    Metric(
        "strades_missing_bars",
        "Bars that are missing, by the cause.",
        ("cause",),
        "SELECT cause, sum(missing) FROM cleaned.gaps GROUP BY 1",
    ),
    Metric(
        "strades_orders_unknown",
        "Orders of wallets that trade of which the venue has not said for five minutes what became of them.",
        (),
        """
        SELECT count(*) FROM trading.orders AS o INNER JOIN trading.wallets AS w USING (wallet)
        WHERE w.mode <> 'replay' AND o.state IN ('submitting', 'unknown') AND o.submitted_at < %(now)s - %(settled)s
        """,
    ),
    Metric(
        "strades_wallets_halted",
        "Wallets that trade and are halted.",
        (),
        """
        SELECT count(*) FROM trading.wallet_states AS s INNER JOIN trading.wallets AS w USING (wallet)
        WHERE w.mode <> 'replay' AND s.state = 'halted'
        """,
    ),
    Metric(
        "strades_findings_open",
        "Differences between our books and a venue's that nobody has settled.",
        (),
        "SELECT count(*) FROM trading.findings WHERE state = 'open'",
    ),
    Metric(
        "strades_prediction_coverage_ratio",
        "Of the listings with a forecast, the part whose newest one has a value.",
        (),
        """
        SELECT avg((newest.status = 'predicted')::integer) FROM records.listings AS l CROSS JOIN LATERAL (
            SELECT f.status FROM predictions.forecasts AS f WHERE f.listing_id = l.listing_id
            ORDER BY f.decision_time DESC LIMIT 1) AS newest
        """,
    ),
    Metric(
        "strades_model_age_seconds",
        "Since a model was last fitted.",
        (),
        "SELECT extract(epoch FROM %(now)s - max(recorded_at)) FROM predictions.models",
    ),
    Metric("strades_table_bytes", "The largest tables of the world, with indexes.", ("table",), TABLES),
    Metric(
        "strades_database_bytes",
        "A database's files.",
        ("database",),
        "SELECT datname, pg_database_size(oid) FROM pg_database WHERE has_database_privilege(oid, 'CONNECT')",
    ),
    Metric(
        "strades_wal_archive_age_seconds",
        "Since a WAL segment was archived; only where the server archives.",
        (),
        f"""
        SELECT extract(epoch FROM %(real_now)s - last_archived_time) FROM pg_stat_archiver WHERE {ARCHIVES}
        """,
    ),
    Metric(
        "strades_wal_archive_failing",
        "1 while the last try to archive a WAL segment failed; only where the server archives.",
        (),
        f"""
        SELECT coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false)::integer
        FROM pg_stat_archiver WHERE {ARCHIVES}
        """,
    ),
    Metric(
        "strades_backup_age_seconds",
        "Since the newest scheduled backup of the world, or without one since they are scheduled.",
        (),
        """
        SELECT extract(epoch FROM %(real_now)s - coalesce(
            (SELECT max(taken_at) FROM ops.backups WHERE is_scheduled), (SELECT started_at FROM ops.backup_schedule)
        ))
        """,
    ),
    Metric(
        "strades_recovery_drill_age_seconds",
        "Since the newest recovery drill.",
        (),
        "SELECT extract(epoch FROM %(real_now)s - max(started_at)) FROM ops.recovery_drills",
    ),
    Metric(
        "strades_recovery_drill_failed",
        "1 where the newest recovery drill failed.",
        (),
        "SELECT (fault IS NOT NULL)::integer FROM ops.recovery_drills ORDER BY started_at DESC LIMIT 1",
    ),
)
DAGSTER_METRICS = (
    Metric("strades_runs", "Dagster's runs by status.", ("status",), "SELECT status, count(*) FROM runs GROUP BY 1"),
    Metric(
        "strades_oldest_queued_run_seconds",
        "How long the run has waited that waits longest; 0 where none does.",
        (),
        """
        SELECT coalesce(max(extract(epoch FROM %(real_now)s - create_timestamp AT TIME ZONE 'UTC')), 0)
        FROM runs WHERE status = 'QUEUED'
        """,
    ),
    Metric(
        "strades_daemon_heartbeat_age_seconds",
        "Since one of Dagster's daemons said that it lives.",
        ("daemon",),
        """
        SELECT daemon_type, extract(epoch FROM %(real_now)s - "timestamp" AT TIME ZONE 'UTC') FROM daemon_heartbeats
        """,
    ),
)
OVERDUE = Metric(
    "strades_source_overdue_seconds",
    "How much longer than its schedule's longest wait a source whose schedule runs has given no good answer.",
    ("source",),
)
FILE_METRICS = (
    Metric("strades_disk_free_ratio", "The free part of the disk of a folder.", ("folder",)),
    Metric("strades_base_backup_age_seconds", "Since the newest base backup of the embedded server."),
    Metric(
        "strades_wal_unarchived_seconds",
        "Since the oldest WAL segment was finished that waits for the archive; 0 where none does.",
    ),
)
READ_FAILED = Metric("strades_read_failed", "1 for a part whose figures could not be read.", ("part",))
PARTS = {
    "world": WORLD_METRICS,
    "sources": (SOURCE_AGE, OVERDUE, STREAM_REPORT_AGE),
    "dagster": DAGSTER_METRICS,
    "files": FILE_METRICS,
}
METRICS = (*(metric for part in PARTS.values() for metric in part), READ_FAILED)
