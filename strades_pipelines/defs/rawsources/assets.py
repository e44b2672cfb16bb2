"""One asset a source: plan what the fetch log lacks, fetch it, keep every byte."""

from typing import Any

import dagster as dg

from strades_pipelines.datamanager.fetch_log import read_fetch_log
from strades_pipelines.datamanager.planning import plan, spider_plan
from strades_pipelines.datamanager.sources import Sources, Website, load_sources
from strades_pipelines.defs.specs import column_schema
from strades_pipelines.ingestion.acceptance import refused_bodies
from strades_pipelines.keys import OWNERS, key
from strades_pipelines.partitions import MONTHS, SINGLE_RUN, WindowConfig, run_window
from strades_pipelines.resources.database import Database
from strades_pipelines.resources.spiders import SpiderRunner
from strades_pipelines.settings import settings


class FetchConfig(WindowConfig):
    """What to fetch."""

    force: bool = False


def build_source_asset(website: Website, sources: Sources) -> dg.AssetsDefinition:
    """The asset of one entry of `Sources.json`."""

    @dg.asset(
        key=key("rawsources", website.name),
        description=f"{website.title}: every response body of {website.url}, unmodified, with what was asked and when.",
        group_name="rawsources",
        owners=OWNERS,
        kinds={"scrapy", "postgres"},
        tags={"source": website.name, "category": website.category},
        metadata={
            "dagster/column_schema": column_schema("rawsources.fetches"),
            "dagster/table_name": "rawsources.fetches",
            "url": dg.MetadataValue.url(website.url),
            "licence": website.licence,
        },
        partitions_def=MONTHS,
        backfill_policy=SINGLE_RUN,
        pool=f"source_{website.name}",
        retry_policy=dg.RetryPolicy(max_retries=1, delay=10, jitter=dg.Jitter.PLUS_MINUS),
    )
    def source(
        context: dg.AssetExecutionContext, config: FetchConfig, database: Database, spiders: SpiderRunner
    ) -> dg.MaterializeResult[Any]:
        window = run_window(context, config)
        with database.connect() as connection:
            log = read_fetch_log(connection, website.name)
        requests = plan(
            website, sources, window=(window.start, window.end), now=settings().now(), log=log, force=config.force
        )
        summary: dict[str, Any] = {"stored": 0, "not_modified": 0, "bytes": 0, "failed": []}
        if requests:
            summary = spiders.run(spider_plan(website, requests, run_id=context.run_id), database=database.location())
        faults = [f"{failed['url']}: {failed['error']}" for failed in summary["failed"]]
        with database.connect() as connection:
            if summary["stored"]:
                place = database.location()
                faults += refused_bodies(connection, website.name, context.run_id, url=place, now=settings().now())
            rows = connection.execute(
                "SELECT count(*) FROM rawsources.fetches WHERE source = %s", [website.name]
            ).fetchone()
        if faults:
            counted = f"{len(faults)} of {len(requests)} requests failed"
            raise dg.Failure(f"{counted}; first {faults[0]}", allow_retries=False)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": rows[0] if rows else 0,
                "requests": len(requests),
                "stored": summary["stored"],
                "not_modified": summary["not_modified"],
                "bytes": summary["bytes"],
            }
        )

    return source


def _active(sources: Sources) -> list[Website]:
    return [website for website in sources.websites if website.fonctionnel]


def defs() -> dg.Definitions:
    """The source assets of `Sources.json`."""
    sources = load_sources(settings().sources)
    return dg.Definitions(assets=[build_source_asset(website, sources) for website in _active(sources)])
