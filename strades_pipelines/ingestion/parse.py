"""A response body to records: a pure function of the bytes, the protocol, what was given, and the fetch time."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from strades_pipelines.datamanager.protocol import Protocol, Read, Scalar
from strades_pipelines.ingestion.article_reader import ArticleReader
from strades_pipelines.ingestion.articles import articles
from strades_pipelines.ingestion.bars import GivenError
from strades_pipelines.ingestion.blocks import Block, Reader, cleared, without_markers
from strades_pipelines.ingestion.candles import candles
from strades_pipelines.ingestion.corporate_actions import corporate_actions
from strades_pipelines.ingestion.csv_reader import CsvReader, ZippedCsvReader
from strades_pipelines.ingestion.currencies import Currencies
from strades_pipelines.ingestion.feed_reader import FeedReader
from strades_pipelines.ingestion.filings import documents
from strades_pipelines.ingestion.frame_reader import FrameReader
from strades_pipelines.ingestion.html_reader import HtmlReader
from strades_pipelines.ingestion.json_reader import JsonReader
from strades_pipelines.ingestion.observations import observations
from strades_pipelines.ingestion.quotes import quotes
from strades_pipelines.ingestion.rows import Context, Rows
from strades_pipelines.ingestion.sanitizer import TIME_REASONS
from strades_pipelines.ingestion.trades import trades
from strades_pipelines.ingestion.values import DAY
from strades_pipelines.ingestion.verdicts import BodyRefused, Parsed, Reject, one_line, refuse_bad_rows
from strades_pipelines.ingestion.xml_reader import XmlReader
from strades_pipelines.market.instruments import IN_HUNDREDTHS
from strades_pipelines.market.records import SCHEMAS

# Raise it with each change of what a body yields: `reparse` takes up bodies of other versions.
PARSER_VERSION = "6"
ANNOUNCED_AHEAD = 366 * DAY
TIMES = ("open_time", "event_time", "published_at", "filed_at")
READERS: Mapping[str, Callable[[Read, bytes], Reader]] = {
    "json": JsonReader,
    "csv": CsvReader,
    "csv_zip": ZippedCsvReader,
    "xml": XmlReader,
    "html": HtmlReader,
    "article": ArticleReader,
    "feed": FeedReader,
    "frames": FrameReader,
}
KINDS: Mapping[str, Callable[[Block, Context], Rows]] = {
    "candle": candles,
    "trade": trades,
    "quote": quotes,
    "observation": observations,
    "corporate_action": corporate_actions,
    "article": articles,
    "document": documents,
}


def parse(
    protocol: Protocol,
    body: bytes,
    *,
    given: Mapping[str, str],
    fetched_at: datetime,
    answered_at: datetime | None = None,
) -> Parsed:
    """The records and rejects of a body.

    Args:
        given: what the body does not say: symbol, interval, calendar, ...
        fetched_at: aware, when it was asked for; bars that close later are not final.
        answered_at: aware, when it had come, `fetched_at` where None; events later than this are rejected, and what
            states no time of its own was known then.

    Returns:
        A table for each kind of the protocol, sorted, with the schema of `market.records`; every row of the body is in
        a table or among the rejects; one that is in a table without a field that could not be read is in both.

    Raises:
        BodyRefused: the body is not what the protocol says; nothing of it may be used.
        GivenError: something that must be given is missing or unusable.
    """
    # A naive time would be taken for local time and could make forming bars final.
    if fetched_at.tzinfo is None:
        raise ValueError(f"expected an aware fetched_at, was the naive {fetched_at!r}")
    if not body:
        raise BodyRefused("expected a body, was empty")
    if len(body) > protocol.ask.max_bytes:
        raise BodyRefused(f"expected at most {protocol.ask.max_bytes} bytes, was {len(body)}")
    reader = READERS[protocol.read.format](protocol.read, body)
    scalars = {
        name: value for name, scalar in protocol.read.scalars.items() if (value := _scalar(name, scalar, reader, given))
    }
    currencies = _currencies(protocol.read.scalars.get("currency"), reader, given)
    tables: dict[str, list[pa.Table]] = {kind: [] for kind in protocol.kinds}
    rejects: list[Reject] = []
    for output in protocol.read.outputs:
        block = cleared(without_markers(reader.block(output), output.missing), output)
        if block.count == 0 and not block.lost:
            # An empty list may be no data, or a page that says nothing: the protocol knows which.
            if output.empty == "refuse":
                raise BodyRefused(f"expected rows at {output.rows or 'the root'}, was none")
            continue
        context = Context(output, scalars, given, fetched_at, answered_at or fetched_at, currencies)
        rows = KINDS[output.kind](block, context)
        _refuse_wrong_times(block, rows, context)
        # Many bad rows are a changed format, not bad rows: the whole body is refused.
        bad = len(block.lost) + int(np.count_nonzero(~rows.judgement.good & ~rows.judgement.empty))
        refuse_bad_rows(bad, block.count + len(block.lost))
        tables[output.kind].append(_good_rows(rows))
        rejects += _rejects(block, rows)
    return Parsed(
        {kind: pa.concat_tables([SCHEMAS[kind].empty_table(), *made]) for kind, made in tables.items()}, tuple(rejects)
    )


def _scalar(name: str, scalar: Scalar, reader: Reader, given: Mapping[str, str]) -> str | None:
    """A value of the whole body; given and said must agree: an answer about another symbol is not taken for ours.

    Of a currency, they agree where one is the other's hundredth; `_currencies` sees to that.
    """
    asked = given.get(scalar.given) if scalar.given else None
    if asked is not None and not (asked.isprintable() and 0 < len(asked) <= 80):
        raise GivenError(f"expected a short text for {name}, was {one_line(asked, 60)!r}")
    said = reader.scalar(scalar.body) if scalar.body else None
    # A number that stands for a text, as SEC's CIK: its leading zeros come back.
    if scalar.digits and isinstance(said, int) and not isinstance(said, bool):
        said = f"{said:0{scalar.digits}d}"
    if said is not None and not (isinstance(said, str) and said.isprintable() and 0 < len(said) <= 80):
        raise BodyRefused(f"expected a short text at {scalar.body}, was {one_line(str(said), 60)!r}")
    if scalar.values is not None:
        found = scalar.values.get(said) if isinstance(said, str) else None
        if said is not None and given.get("assumed") == name and asked != found:
            raise BodyRefused(
                f"expected {name} {asked}, which an instrument that states none is taken to have, was {said} "
                f"({found or 'unknown'}): give the instrument its {name} in Sources.json"
            )
        return asked or found or scalar.default
    if asked and said and asked != said and name != "currency":
        raise BodyRefused(f"expected {name} {asked}, was {said}")
    return asked or (said if isinstance(said, str) else None) or scalar.default


def _currencies(scalar: Scalar | None, reader: Reader, given: Mapping[str, str]) -> Currencies:
    if scalar is None:
        return Currencies(None, None)
    said = _scalar("currency", replace(scalar, given=None), reader, given)
    listing = given.get(scalar.given) if scalar.given else None
    if said is None and scalar.body and listing in IN_HUNDREDTHS:
        raise BodyRefused(f"expected a currency at {scalar.body}, was none: {listing} is quoted in hundredths too")
    return Currencies(said, listing)


def _refuse_wrong_times(block: Block, rows: Rows, context: Context) -> None:
    """When no row's time can be true, the unit or the zone has changed: not bad rows but another protocol.

    But dividends and splits are announced weeks ahead; one that is must not cost the bars of its body.
    """
    output = context.output
    if not rows.judgement.all_for(TIME_REASONS):
        return
    name = next(name for name in TIMES if name in output.fields)
    if output.kind == "corporate_action":
        times = context.instants(block, name)
        if not times.absent.any() and (np.abs(times.values - context.now) < ANNOUNCED_AHEAD).all():
            return
    wanted = f"{name} as {output.fields[name].unit or 's'}, {output.earliest} to now"
    raise BodyRefused(f"expected {wanted}, was {rows.judgement.reason(0)} in every row, first {block.raw(0)}")


def _good_rows(rows: Rows) -> pa.Table:
    good = rows.judgement.good
    table = rows.table if good.all() else rows.table.filter(pa.array(good))
    keys = [(name, "ascending") for name in rows.order]
    # Most answers are sorted already, and to see that costs less than a sort.
    if len(keys) == 1 and pc.all(pc.less_equal(table[rows.order[0]][:-1], table[rows.order[0]][1:])).as_py():
        return table
    return table.sort_by(keys)


def _rejects(block: Block, rows: Rows) -> Iterator[Reject]:
    for reason, where, raw in block.lost:
        yield Reject(reason, where, raw)
    for row in np.flatnonzero(~rows.judgement.good & ~rows.judgement.empty).tolist():
        yield Reject(rows.judgement.reason(row), block.where(row), block.raw(row))
    for reason, mask in rows.judgement.lost_fields:
        for row in np.flatnonzero(mask & rows.judgement.good).tolist():
            yield Reject(reason, block.where(row), block.raw(row))
