"""The page form of `strades trace`: the rows behind a decision, order, fill or prediction, down to the fetches."""

from dataclasses import dataclass

from dashboard.gateway.bodies import Fetch, read_fetches
from dashboard.gateway.reading import domain_connection
from strades_pipelines.lineage.row_lineage import Lineage, NotFound
from strades_pipelines.lineage.trace import follow

SHOWN_FETCHES = 100


@dataclass(frozen=True)
class Trace:
    """A lineage and the newest of the fetches under it; `fetch_count` is that of all of them."""

    lineage: Lineage
    fetches: list[Fetch]
    fetch_count: int


def read_trace(identity: str) -> Trace | None:
    """Follow an id, or None where nothing has it. The bytes are checked where one opens them, not here."""
    try:
        with domain_connection() as connection:
            lineage, fetch_ids = follow(connection, identity)
    except NotFound:
        return None
    return Trace(lineage, read_fetches(fetch_ids, most=SHOWN_FETCHES), len(fetch_ids))
