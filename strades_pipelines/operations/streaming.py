"""Body of `strades stream`: a recorder for each source, and the wallets that hear its trades, until it is stopped.

A stop ends this process at once (`strades_pipelines.system.stopping`): what was read and not stored is asked for by the
next start, as after a kill.
"""

import asyncio
import gc
from collections.abc import Sequence
from dataclasses import asdict

import typer

from strades_pipelines.brokerage.stream_desk import StreamDesk
from strades_pipelines.database.connection import database_url
from strades_pipelines.datamanager.listings import sync_listings
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.ingestion.streams.recorder import StreamRecorder
from strades_pipelines.ingestion.streams.stream_sources import stream_sources
from strades_pipelines.ingestion.streams.writer import StreamWriter
from strades_pipelines.installation.install import prepare
from strades_pipelines.operations.output import print_result, say, table
from strades_pipelines.settings import settings


def run_streams(names: Sequence[str], *, seconds: float | None, as_json: bool) -> None:
    """`strades stream`; ends with 1 where something of a source failed and was not made good since.

    Raises:
        SourcesError: a name is no source with a stream.
    """
    sources = load_sources(settings().sources)
    chosen = stream_sources(sources, names)
    prepare()
    sync_listings(sources, now=settings().now())
    url = database_url()
    desk = StreamDesk(url, clock=settings().now, say=lambda line: say(_timed(line)))
    recorders = [
        StreamRecorder(
            each, StreamWriter(each, url), clock=settings().now, say=lambda line: say(_timed(line)), listener=desk
        )
        for each in chosen
    ]
    say(_timed(f"streams of {', '.join(each.website.name for each in chosen) or 'no source: none has a stream'}"))
    # Frames make the collector look through everything again and again, 0.1 s each time (2026-11-30): what was loaded
    # until now stays anyway.
    gc.collect()
    gc.freeze()
    asyncio.run(_keep_all(recorders, desk, seconds))
    documents = [{"source": each.source.website.name, **asdict(each.counts)} for each in recorders]
    print_result(
        {"sources": documents, "decisions": desk.decisions},
        as_json,
        [table("source frames rows rejects repairs bars", documents)],
    )
    raise typer.Exit(1 if any(each.counts.errors for each in recorders) else 0)


async def _keep_all(recorders: Sequence[StreamRecorder], desk: StreamDesk, seconds: float | None) -> None:
    """Run the recorders and the desk side by side for that long, None: for ever; then store what was read."""
    try:
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as tasks:
            for each in recorders:
                tasks.create_task(each.run_forever())
            tasks.create_task(desk.run())
            await asyncio.Event().wait()  # also where no source has a stream
    except TimeoutError:
        for each in recorders:
            await each.drain()


def _timed(line: str) -> str:
    return f"{settings().now():%H:%M:%S} {line}"
