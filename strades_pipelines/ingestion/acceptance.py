"""Whether what just came is what its protocol says: asked right after a fetch, so that the source's own asset fails."""

from datetime import datetime
from typing import Any

import psycopg

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.bodies import BodyCorrupt
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import BodyRefused, one_line
from strades_pipelines.ingestion.verify import stored_body

NEW = """
    SELECT fetch_id, protocol, given, fetched_at, url FROM rawsources.fetches
    WHERE source = %s AND run_id = %s AND outcome = 'stored' ORDER BY fetched_at, fetch_id
"""


def refused_bodies(
    connection: "psycopg.Connection[Any]", source: str, run_id: str, *, url: str, now: datetime
) -> list[str]:
    """One line for each body that `source` answered in this run and the parser refuses; their questions stay open.

    Nothing else is loaded: records are the next layer's work. The refusals are noted in `records.parses`.
    """
    refused: dict[int, str] = {}
    with connection.cursor() as cursor:
        for fetch_id, protocol, given, fetched_at, asked in connection.execute(NEW, [source, run_id]).fetchall():
            try:
                parse(load_protocol(protocol), stored_body(cursor, fetch_id), given=given, fetched_at=fetched_at)
            except (BodyRefused, BodyCorrupt) as error:
                refused[fetch_id] = f"{asked}: {one_line(str(error))}"
    connection.commit()
    if refused:
        load_stored(url=url, now=now, fetch_ids=tuple(refused))
    return list(refused.values())
