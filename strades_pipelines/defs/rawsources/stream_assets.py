"""Streams as Dagster shows them: external assets, of which a sensor says once a minute what came.

A process of its own keeps them (`strades stream`); no run of Dagster makes them.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import psycopg

from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.defs.automation.status import SENSOR_STATUS
from strades_pipelines.defs.specs import column_schema
from strades_pipelines.ingestion.streams.frame_store import StreamSource
from strades_pipelines.ingestion.streams.stream_sources import stream_sources
from strades_pipelines.keys import OWNERS, key
from strades_pipelines.resources.database import Database
from strades_pipelines.settings import settings

SECONDS = 60  # no stream is told of more often
FRESH = dg.FreshnessPolicy.time_window(fail_window=timedelta(minutes=15), warn_window=timedelta(minutes=5))
# What came since the last time: a stream without a new frame is not materialized, and so becomes stale.
CAME = """
    SELECT s.source, max(s.last_frame_at) AS newest, sum(s.gaps)::integer, string_agg(DISTINCT s.state, ', '),
        (
            SELECT count(*) FROM rawsources.frames AS f
            WHERE f.source = s.source
                AND f.received_at > coalesce((%(seen)s::jsonb ->> s.source)::timestamptz, min(s.updated_at))
        )
    FROM ops.stream_states AS s
    WHERE s.last_frame_at IS NOT NULL AND s.source = ANY(%(sources)s)
    GROUP BY s.source
    HAVING max(s.last_frame_at) > coalesce((%(seen)s::jsonb ->> s.source)::timestamptz, '-infinity')
    ORDER BY s.source
"""


def stream_key(source: str) -> dg.AssetKey:
    """The key of a source's stream."""
    return key("rawsources", f"{source}_stream")


def stream_spec(source: StreamSource) -> dg.AssetSpec:
    """The external asset of a source's stream."""
    return dg.AssetSpec(
        stream_key(source.website.name),
        description=f"{source.website.title}: every frame of its stream, unmodified, kept by `strades stream`.",
        group_name="rawsources",
        owners=OWNERS,
        kinds={"postgres"},
        tags={"source": source.website.name, "category": source.website.category},
        metadata={
            "dagster/column_schema": column_schema("rawsources.frames"),
            "dagster/table_name": "rawsources.frames",
            "licence": source.website.licence,
        },
        freshness_policy=FRESH,
    )


def new_materializations(
    connection: "psycopg.Connection[Any]", sources: list[str], seen: Mapping[str, str], now: datetime
) -> tuple[list[dg.AssetMaterialization], dict[str, str]]:
    """A materialization of each stream that has a frame since, and the time of its newest frame by source.

    Args:
        seen: those times as they were the last time.
        now: the world's time, UTC.
    """
    rows = connection.execute(CAME, {"sources": sources, "seen": json.dumps(seen)}).fetchall()
    made = [
        dg.AssetMaterialization(
            stream_key(source),
            metadata={
                "frames": frames,
                "newest_frame": dg.MetadataValue.timestamp(newest),
                "lag_seconds": max(0.0, (now - newest).total_seconds()),
                "open_gaps": gaps,
                "state": state,
            },
        )
        for source, newest, gaps, state, frames in rows
    ]
    return made, {**seen, **{source: newest.isoformat() for source, newest, *_ in rows}}


@dg.sensor(
    minimum_interval_seconds=SECONDS,
    default_status=SENSOR_STATUS,
    description="Tells Dagster what came over the streams, at most once a minute each.",
)
def stream_sensor(context: dg.SensorEvaluationContext, database: Database) -> dg.SensorResult | dg.SkipReason:
    """Report runless materializations of the streams that have new frames."""
    sources = [each.website.name for each in stream_sources(load_sources(settings().sources))]
    seen = json.loads(context.cursor) if context.cursor else {}
    with database.connect() as connection:
        made, seen = new_materializations(connection, sources, seen, settings().now())
    if not made:
        return dg.SkipReason("no stream has a new frame")
    return dg.SensorResult(asset_events=made, cursor=json.dumps(seen))


def defs() -> dg.Definitions:
    """The streams of Sources.json, and the sensor that tells of them."""
    specs = [stream_spec(each) for each in stream_sources(load_sources(settings().sources)) if each.instruments]
    return dg.Definitions(assets=specs, sensors=[stream_sensor])
