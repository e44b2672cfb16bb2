"""One asset a source: plan what the fetch log lacks, fetch it, keep every byte."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any, cast

import dagster as dg

from strades_pipelines.datamanager.fetch_log import read_fetch_log
from strades_pipelines.datamanager.planning import Request, plan, request_keys, spider_plan
from strades_pipelines.datamanager.sources import Sources, Website, load_sources
from strades_pipelines.defs.specs import column_schema
from strades_pipelines.ingestion.acceptance import refused_bodies
from strades_pipelines.keys import OWNERS, key
from strades_pipelines.partitions import MONTHS, SINGLE_RUN, WindowConfig, run_window
from strades_pipelines.resources.database import Database
from strades_pipelines.resources.spiders import SpiderRunner
from strades_pipelines.settings import settings

BUSY_SECONDS = 1.0


class FetchConfig(WindowConfig):
    """What to fetch."""

    force: bool = False


@dataclass(frozen=True)
class Fetching:
    """What the assets of all sources share: the list they are of, and what one step is handed."""

    sources: Sources
    context: dg.AssetExecutionContext
    database: Database
    spiders: SpiderRunner

    def plan(self, website: Website, config: FetchConfig) -> list[Request]:
        """The questions that are open now."""
        asked, now = run_window(self.context, config), settings().now()
        window = asked.start, asked.end
        keys = request_keys(website, self.sources, window=window, now=now)
        with self.database.connect() as connection:
            log = read_fetch_log(connection, website.name, keys)
        return plan(website, self.sources, window=window, now=now, log=log, force=config.force)

    def document(self, website: Website, config: FetchConfig) -> dict[str, Any]:
        """What the spiders of a source are to do now."""
        return spider_plan(website, self.plan(website, config), run_id=self.context.run_id)

    def begin_all(self) -> None:
        """Begin the crawls of all sources of this run, at its first step: a slow one delays none of the others.

        Dagster runs the steps one after the other; each then waits for its own crawl. What goes wrong here goes wrong
        again in the source's own step, and is told there.
        """
        selection = self.context.job_def.asset_layer.selected_asset_keys
        ops = cast(Mapping[str, Any], self.context.run.run_config.get("ops", {}))
        for website in _active(self.sources):
            if key("rawsources", website.name) not in selection:
                continue
            with suppress(Exception):
                config = FetchConfig(**ops.get(f"rawsources__{website.name}", {}).get("config", {}))
                if (document := self.document(website, config))["requests"]:
                    self.spiders.begin(document, database=self.database.location())

    def fetch(self, website: Website, config: FetchConfig) -> tuple[int, dict[str, Any]]:
        """Ask what is open; how many questions that were, and the crawl's summary.

        Raises:
            dg.Failure: the spiders could not work, or another process crawled this source all the time.
        """
        if self.spiders.is_new_run(self.context.run_id):
            self.begin_all()
        give_up = monotonic() + website.budget_seconds
        while True:
            document = self.spiders.begun_plan(website.name) or self.document(website, config)
            if not document["requests"]:
                return 0, {"stored": 0, "not_modified": 0, "bytes": 0, "failed": []}
            summary = self.spiders.run(document, database=self.database.location())
            if not summary.get("busy"):
                return len(document["requests"]), summary
            if monotonic() > give_up:
                raise dg.Failure(f"another run still fetches {website.name}; try again when it is done")
            sleep(BUSY_SECONDS)  # then plan again: what the other run fetched is not asked for twice


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
    )
    def source(
        context: dg.AssetExecutionContext, config: FetchConfig, database: Database, spiders: SpiderRunner
    ) -> dg.MaterializeResult[Any]:
        asked, summary = Fetching(sources, context, database, spiders).fetch(website, config)
        faults = [f"{failed['url']}: {failed['error']}" for failed in summary["failed"]]
        with database.connect() as connection:
            if summary["stored"]:
                place = database.location()
                faults += refused_bodies(connection, website.name, context.run_id, url=place, now=settings().now())
            rows = connection.execute(
                "SELECT count(*) FROM rawsources.fetches WHERE source = %s", [website.name]
            ).fetchone()
        if faults:
            counted = f"{len(faults)} of {asked} requests failed"
            raise dg.Failure(f"{counted}; first {faults[0]}")
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": rows[0] if rows else 0,
                "requests": asked,
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
