"""Stored bytes to typed records: a pure parse, the sanitizer, and the load with its cursor in one transaction."""

import hashlib
from collections.abc import Iterator
from typing import Any

import dagster as dg

from strades_pipelines.datamanager.listings import sync_listings
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.defs.specs import counts, table_spec
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.ingestion.parse import PARSER_VERSION
from strades_pipelines.keys import key
from strades_pipelines.partitions import MONTHS, SINGLE_RUN
from strades_pipelines.resources.database import Database
from strades_pipelines.settings import settings

IDENTITY = {
    "instruments": "The financial instruments of Sources.json. Grain: one row an instrument and interval.",
    "listings": "An instrument at a venue, with currency, tick, lot and calendar. Grain: one row a venue and symbol.",
    "calendars": "Up to which year a calendar is in sessions, and what worked it out. Grain: one row a calendar.",
    "sessions": "Trading sessions of the venues' calendars, half days included. Grain: one row a calendar and date.",
    "bar_series": "The bars that Sources.json asks for. Grain: one row a listing, interval and source.",
}
KINDS = {
    "candles": "Final bars as the source gave them. Grain: one row a listing, interval and open time.",
    "trades": "Trades as the venue reported them. Grain: one row a listing and trade id.",
    "observations": "Values of statistical series. Grain: one row a series and date.",
    "corporate_actions": "Dividends and splits. Grain: one row a listing, date and action.",
    "split_adjustments": "What was fetched in the shares of before a split. Grain: one row a listing, fetch and time.",
    "articles": "News as its publisher gave it. Grain: one row a source and article.",
    "documents": "Filings of companies and authorities. Grain: one row a source and document.",
    "rejects": "Rows that were not fit to load, with the reason. Grain: one row a stored body, place and reason.",
}
LISTED = dg.AssetCheckSpec(
    "every_symbol_is_listed",
    asset=key("records", "candles"),
    description="No stored body waits unread because Sources.json does not list a symbol of it.",
)


def build_identity(code_version: str) -> dg.AssetsDefinition:
    """The names and calendars, made again when `code_version` changes."""

    @dg.multi_asset(
        name="records__identity",
        specs=[
            table_spec("records", entity, text, kinds={"python", "postgres"}, code_version=code_version)
            for entity, text in IDENTITY.items()
        ],
    )
    def identity(context: dg.AssetExecutionContext, database: Database) -> Iterator[dg.MaterializeResult[Any]]:
        """Instruments, listings and sessions, kept in step with Sources.json."""
        sync_listings(load_sources(settings().sources), url=database.location(), now=settings().now())
        with database.connect() as connection:
            for asset in context.selected_asset_keys:
                yield dg.MaterializeResult(asset_key=asset, metadata=counts(connection, asset))

    return identity


def build_records(sources: list[dg.AssetKey]) -> dg.AssetsDefinition:
    """The records assets, downstream of every source."""
    deps = [*sources, key("records", "listings"), key("records", "sessions")]

    @dg.multi_asset(
        name="records",
        specs=[
            table_spec("records", entity, text, kinds={"pyarrow", "postgres"}, deps=deps, code_version=PARSER_VERSION)
            for entity, text in KINDS.items()
        ],
        check_specs=[LISTED],
        partitions_def=MONTHS,
        backfill_policy=SINGLE_RUN,
        pool="records",
    )
    def records(
        context: dg.AssetExecutionContext, database: Database
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        summary = load_stored(url=database.location(), now=settings().now())
        for line in (*summary.refused, *summary.skipped):
            context.log.warning(line)
        if summary.discrepancies:
            context.log.warning(f"{summary.discrepancies} new discrepancies of prices: `strades discrepancies`")
        with database.connect() as connection:
            for entity in KINDS:
                asset = key("records", entity)
                yield dg.MaterializeResult(
                    asset_key=asset, metadata=counts(connection, asset, bodies_parsed=summary.parsed)
                )
        yield dg.AssetCheckResult(
            asset_key=LISTED.asset_key,
            check_name=LISTED.name,
            passed=not summary.skipped,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"bodies": len(summary.skipped), "first": summary.skipped[0] if summary.skipped else ""},
        )

    return records


def defs() -> dg.Definitions:
    """The records layer."""
    websites = [website for website in load_sources(settings().sources).websites if website.fonctionnel]
    listed = hashlib.sha256(settings().sources.read_bytes()).hexdigest()[:12]
    sources = [key("rawsources", website.name) for website in websites]
    return dg.Definitions(assets=[build_identity(listed), build_records(sources)])
