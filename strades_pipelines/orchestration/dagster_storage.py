"""Dagster's own storage on PostgreSQL, over connections that are held (`storage` in `dagster.yaml`).

Dagster opens a connection for each query, of which a run makes some thousands and the daemon, idle, some a second: to
connect is a fifth of a run and a third of what the daemon asks for. Its webserver alone holds one.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.definitions.declarative_automation.serialized_objects import (
    AutomationConditionEvaluation,
    AutomationConditionEvaluationWithRunIds,
)
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._daemon.types import DaemonHeartbeat
from dagster._serdes import ConfigurableClassData
from dagster._utils.concurrency import ConcurrencyClaimStatus
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_postgres.schedule_storage import PostgresScheduleStorage
from dagster_postgres.storage import DagsterPostgresStorage
from dagster_postgres.utils import create_pg_engine, get_token_provider_from_config, pg_url_from_config
from sqlalchemy.exc import SQLAlchemyError

from strades_pipelines.database.connection import session_url
from strades_pipelines.database.errors import cause
from strades_pipelines.orchestration.daemon_lock import DaemonLock
from strades_pipelines.orchestration.ended_runs import free_slots_of_ended_runs
from strades_pipelines.settings import settings
from strades_pipelines.system import stopping

if TYPE_CHECKING:
    from dagster_postgres.auth import PgTokenProvider

SHOWN_LEVELS = 2  # the condition, what it is made of, and their first operands: enough to see what held it back
PLANNED = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
BEGINNINGS = (dg.DagsterEventType.RUN_START, dg.DagsterEventType.STEP_START)
# One stays open in each storage of a process; others are for threads that ask at the same time.
POOL = {"pool_size": 1, "max_overflow": 20, "pool_recycle": 3600}


class HeldRunStorage(PostgresRunStorage):
    """Runs and heartbeats; only the daemon writes those, and only one daemon may."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._daemon_lock = DaemonLock(self._engine)  # Dagster's, without a pool: the storage below takes another

    def add_daemon_heartbeat(self, daemon_heartbeat: DaemonHeartbeat) -> None:
        """Write a heartbeat, which each thread of a daemon does before it works.

        Raises:
            SystemExit: another daemon has the lock, or the database does not say who has. It ends the thread, and
                Dagster its process for want of it; any other exception Dagster would log, and work on.
        """
        try:
            is_held = self._daemon_lock.is_held()
        except SQLAlchemyError as error:
            print(f"strades: the lock of the daemon cannot be had: {cause(str(error))}", file=sys.stderr, flush=True)
            raise SystemExit(1) from error
        if not is_held:
            raise SystemExit(1)
        super().add_daemon_heartbeat(daemon_heartbeat)

    def dispose(self) -> None:
        """Give the lock back."""
        self._daemon_lock.release()


class HeldEventLogStorage(PostgresEventLogStorage):
    """The event log; what runs intend to make is stored at once, and what its own tables are like is asked for once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Dagster asks for them with every asset event, and again with most that it reads.
        self.has_table = cache(super().has_table)  # type: ignore[method-assign]
        self._columns: dict[str, bool] = {}

    def _has_asset_key_col_on_connection(self, conn: Any, column_name: str) -> bool:
        if column_name not in self._columns:
            self._columns[column_name] = super()._has_asset_key_col_on_connection(conn, column_name)
        return self._columns[column_name]

    def _event_to_row(self, event: dg.EventLogEntry) -> dict[str, Any]:
        row: dict[str, Any] = super()._event_to_row(_without_logging_tags(event))
        return row

    def store_asset_check_event(self, event: dg.EventLogEntry, event_id: int | None) -> None:
        """Store what a check found in the table of the checks, which holds a copy of the event."""
        super().store_asset_check_event(_without_logging_tags(event), event_id)

    def claim_concurrency_slot(
        self, concurrency_key: str, run_id: str, step_key: str, priority: int | None = None
    ) -> ConcurrencyClaimStatus:
        """Claim a slot of a pool for a step; what runs that have ended still hold is free for it.

        In a process that is being stopped no step begins: this waits for its end.
        """
        stopping.begin_nothing_more_if_requested()
        claim = super().claim_concurrency_slot(concurrency_key, run_id, step_key, priority)
        if not claim.is_claimed and free_slots_of_ended_runs(self._instance, concurrency_key):
            return super().claim_concurrency_slot(concurrency_key, run_id, step_key, priority)
        return claim

    def store_event(self, event: dg.EventLogEntry) -> None:
        """Store an event. In a process that is being stopped no run and no step begins: this waits for its end."""
        if event.dagster_event_type in BEGINNINGS:
            stopping.begin_nothing_more_if_requested()
        super().store_event(event)

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Store events; what a run intends to make many at a time, as Dagster does with what was made.

        A month of an asset is an intention: one by one, those of two decades take longer than the work.
        """
        planned = [event for event in events if event.dagster_event_type == PLANNED]
        if not planned:
            super().store_event_batch(events)
            return
        with self.index_transaction() as connection:
            insert = self.prepare_insert_event_batch(planned).returning(SqlEventLogStorageTable.c.id)
            ids = [event_id for (event_id,) in connection.execute(insert)]
            # An asset's own row is of its newest event: of many months the last one is enough.
            newest = {event.get_dagster_event().asset_key: place for place, event in enumerate(planned)}
            for place in newest.values():
                self._store_asset_event(connection, planned[place], ids[place])
        for event in events:
            if event.dagster_event_type != PLANNED:
                self.store_event(event)


def _without_logging_tags(event: dg.EventLogEntry) -> dg.EventLogEntry:
    """The event without the tags of its log line, a sixth of it and more; nothing reads them back."""
    dagster_event = event.dagster_event
    if dagster_event is None or not dagster_event.logging_tags:
        return event
    return event._replace(dagster_event=dagster_event._replace(logging_tags={}))


class HeldScheduleStorage(PostgresScheduleStorage):
    """Ticks and evaluations of automation conditions: those are kept for days, without what says nothing."""

    def add_auto_materialize_asset_evaluations(
        self, evaluation_id: int, asset_evaluations: Sequence[AutomationConditionEvaluationWithRunIds[Any]]
    ) -> None:
        """Store evaluations as `without_empty_branches` leaves them."""
        pruned = [replace(one, evaluation=without_empty_branches(one.evaluation)) for one in asset_evaluations]
        super().add_auto_materialize_asset_evaluations(evaluation_id, pruned)

    def purge_asset_evaluations(self, before: float) -> None:
        """Delete evaluations from before a time, or older than STRADES_EVALUATIONS_KEPT_DAYS.

        The daemon calls this after its ticks, with a constant of 30 days.
        """
        kept = timedelta(days=settings().evaluations_kept_days)
        super().purge_asset_evaluations(max(before, (datetime.now(UTC) - kept).timestamp()))


def without_empty_branches(
    evaluation: AutomationConditionEvaluation[Any], depth: int = 0
) -> AutomationConditionEvaluation[Any]:
    """The evaluation without what lies below nodes that hold for no partition, or were asked about none.

    The uppermost levels stay, so that a person sees what held an asset back.

    A node says for which of the 330 months since 1999 it holds, and an asset that reads many has hundreds of nodes:
    320 kB an evaluation of `records/candles` (measured 2026-11-28). Those that hold for none say nothing but that,
    and Dagster reads no evaluation again except to show it: its cursor is stored elsewhere.
    """
    holds = not evaluation.true_subset.is_empty
    was_asked = not getattr(evaluation.candidate_subset, "is_empty", False)  # a sentinel stands for all partitions
    children = evaluation.child_evaluations if holds or (was_asked and depth < SHOWN_LEVELS) else ()
    return replace(evaluation, child_evaluations=[without_empty_branches(child, depth + 1) for child in children])


class HeldPostgresStorage(DagsterPostgresStorage):
    """See above; takes what `storage: postgres` takes."""

    def __init__(
        self,
        postgres_url: str,
        should_autocreate_tables: bool = True,
        inst_data: ConfigurableClassData | None = None,
        token_provider: "PgTokenProvider | None" = None,
    ) -> None:
        postgres_url = session_url(postgres_url)
        super().__init__(postgres_url, should_autocreate_tables, inst_data, token_provider)
        # Without making tables: the storage above has made them.
        self._run_storage = HeldRunStorage(postgres_url, False, token_provider=token_provider)
        self._event_log_storage = HeldEventLogStorage(postgres_url, False, token_provider=token_provider)
        self._schedule_storage = HeldScheduleStorage(postgres_url, False, token_provider=token_provider)
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            # Asked whether it is still there before it is used: the server may have been started again.
            storage._engine = create_pg_engine(
                postgres_url, token_provider, isolation_level="AUTOCOMMIT", pool_pre_ping=True, **POOL
            )

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "HeldPostgresStorage":
        """Of the settings in `dagster.yaml`."""
        return cls(
            pg_url_from_config(config_value),
            config_value.get("should_autocreate_tables", True),
            inst_data,
            get_token_provider_from_config(config_value),
        )
