"""Which sources of Sources.json have a stream."""

from collections.abc import Sequence
from pathlib import Path

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.datamanager.sources import Sources, SourcesError, Website, load_sources
from strades_pipelines.ingestion.streams.frame_store import StreamSource
from strades_pipelines.ingestion.streams.messages import connection_url, topic_of


def stream_sources(sources: Sources, names: Sequence[str] = ()) -> list[StreamSource]:
    """The sources of those names, or all that are fetched and have a stream.

    Raises:
        SourcesError: one is not in the list, or its protocol has no stream.
    """
    if not names:
        return [_stream_source(sources, each) for each in sources.websites if each.fonctionnel and _has_stream(each)]
    websites = [sources.website(name) for name in dict.fromkeys(names)]
    for website in websites:
        if not _has_stream(website):
            known = ", ".join(each.name for each in sources.websites if _has_stream(each)) or "none"
            raise SourcesError(f"expected a source whose protocol has a stream ({known}), was {website.name}")
    return [_stream_source(sources, website) for website in websites]


def wanted_streams(path: Path) -> set[str]:
    """The names of the sources whose streams `strades stream` keeps: those of a Sources.json with an instrument.

    Raises:
        SourcesError: the file cannot be used.
    """
    return {each.website.name for each in stream_sources(load_sources(path)) if each.instruments}


def _has_stream(website: Website) -> bool:
    return load_protocol(website.protocol).stream is not None


def _stream_source(sources: Sources, website: Website) -> StreamSource:
    """Of instruments with one topic, as a pair's minutes and days have for trades, the first stands for all."""
    protocol = load_protocol(website.protocol)
    by_topic = {topic_of(protocol, each): each for each in reversed(sources.instruments_of(website))}
    instruments = tuple(each for each in sources.instruments_of(website) if each in by_topic.values())
    by_id = {each.id: each for each in instruments}
    return StreamSource(website, protocol, by_id, connection_url(protocol, instruments))
