"""Whether what just came is what its protocol says: asked right after a fetch, so that the source's own asset fails."""

from datetime import datetime
from typing import Any

import psycopg

from strades_pipelines.datamanager.protocols import ProtocolError, load_protocol
from strades_pipelines.ingestion.bodies import BodyCorrupt
from strades_pipelines.ingestion.bounded_parse import parse_bounded
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.ingestion.pending import costly_refusals
from strades_pipelines.ingestion.verdicts import BodyRefused, one_line
from strades_pipelines.ingestion.verify import stored_body

NEW = """
    SELECT fetch_id, protocol, given, fetched_at, answered_at, url, sha256 FROM rawsources.fetches
    WHERE source = %s AND run_id = %s AND outcome = 'stored' ORDER BY fetched_at, fetch_id
"""


def refused_bodies(
    connection: "psycopg.Connection[Any]", source: str, run_id: str, *, url: str, now: datetime
) -> list[str]:
    """One line for each body that `source` answered in this run and the parser refuses; their questions stay open.

    Nothing else is loaded: records are the next layer's work. The refusals are noted in `records.parses`.
    """
    refused: dict[int, str] = {}
    urls: dict[int, str] = {}
    with connection.cursor() as cursor:
        known = costly_refusals(cursor)
        new = cursor.execute(NEW, [source, run_id]).fetchall()
        for fetch_id, protocol, given, fetched_at, answered_at, asked, sha256 in new:
            urls[fetch_id] = asked
            try:
                # The same bytes took too long once already: they would hold up each run again.
                if (refusal := known.get((source, protocol, bytes(sha256)))) is not None:
                    raise BodyRefused(refusal)
                body = stored_body(cursor, fetch_id)
                parse_bounded(
                    load_protocol(protocol), body, given=given, fetched_at=fetched_at, answered_at=answered_at
                )
            except (BodyRefused, BodyCorrupt, ProtocolError) as error:
                refused[fetch_id] = one_line(str(error))
    # `load_stored` has connections of its own: no transaction is left open beside theirs.
    connection.commit()
    if refused:
        load_stored(url=url, now=now, fetch_ids=tuple(refused), refusals=refused)
    return [f"{urls[fetch_id]}: {error}" for fetch_id, error in refused.items()]
