"""Where rows come from, and whether the licences of their sources let them be passed on."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from strades_pipelines.datamanager.protocols import STREAM_SUFFIX, ProtocolError, load_protocol

FETCHES = """
    SELECT source, protocol, count(*) AS answers, string_agg(encode(sha256, 'hex'), ',' ORDER BY sha256) AS bodies
    FROM rawsources.fetches WHERE fetch_id IN ({ids}) GROUP BY source, protocol ORDER BY source, protocol
"""


def read_provenance(cursor: Any, fetch_ids: Iterable[int]) -> list[dict[str, Any]]:
    """Where rows come from: `{"source", "protocol", "answers", "bodies_sha256", "licence", "export",
    "attribution"}` of each source.

    `bodies_sha256` is the hash of the hashes of all stored bodies that they were read from, in order. `cursor` is
    psycopg's or ADBC's.
    """
    ids = sorted(set(fetch_ids))
    if not ids:
        return []
    cursor.execute(FETCHES.format(ids=", ".join(map(str, ids))))
    return [
        {
            "source": source,
            "protocol": protocol,
            "answers": answers,
            "bodies_sha256": hashlib.sha256((bodies or "").encode()).hexdigest(),
            **_licence(protocol),
        }
        for source, protocol, answers, bodies in cursor.fetchall()
    ]


def own_use_sources(sources: Sequence[dict[str, Any]]) -> list[str]:
    """Those whose records may not be passed on, each with its licence."""
    return sorted({f"{each['source']} ({each['licence']})" for each in sources if each["export"] == "own_use"})


def use_of(sources: Sequence[dict[str, Any]]) -> str:
    """What may be done with a file of records of these sources."""
    return "own use only" if own_use_sources(sources) else "may be passed on under these licences"


def _licence(name: str) -> dict[str, str]:
    """What a protocol says that its records may be used for; one that is gone says nothing."""
    try:
        protocol = load_protocol(name.removesuffix(STREAM_SUFFIX))
    except ProtocolError:
        return {"licence": "not known: the protocol is gone", "export": "own_use", "attribution": "not known"}
    stated = {"licence": protocol.licence, "export": protocol.export}
    return stated | {"attribution": protocol.datasheet.attribution}
