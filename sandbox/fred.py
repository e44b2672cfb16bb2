"""FRED's graph CSV over real series: `fred.stlouisfed.org/graph/fredgraph.csv?id=<series>`.

The numbers are those of `sandbox/data/fred/` (its README says where they come from): DCOILWTICO (oil, daily), CPILFESL
(core CPI, monthly), AAA and BAA (bond yields, monthly), VIXCLS (daily since 2014). A row is served once its day and the
series' usual delay have passed; none is invented after the last.
"""

import csv
import gzip
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

from sandbox.world import Reply, World, strong_etag

HOST = "fred.stlouisfed.org"
PATH = "graph/fredgraph.csv"
DATA = Path(__file__).parent / "data" / "fred"
# Series: its file, its column, and the days from the label of a value to its publication.
SERIES = {
    "DCOILWTICO": ("wti", "DCOILWTICO", 7),
    "VIXCLS": ("vix", "vix", 1),
    "CPILFESL": ("core-cpi", "CPILFESL", 50),
    "AAA": ("default", "AAA", 35),
    "BAA": ("default", "BAA", 35),
}


def answer(world: World, path: str, query: Mapping[str, str]) -> Reply:
    """Answer `path` (below the host); FRED answers an unknown series with a page and 404."""
    series = query.get("id", "")
    if path != PATH or series not in SERIES:
        return Reply(b"<!DOCTYPE html><html><body>Error: the series does not exist.</body></html>\n", "text/html", 404)
    today, (_, _, lag) = world.now().date(), SERIES[series]
    rows = [f"{day},{value}\n" for day, value in observations(series) if day + timedelta(days=lag) <= today]
    body = "".join([f"observation_date,{series}\n", *rows]).encode()
    return Reply(body, "application/csv", headers={"ETag": strong_etag(body)})


@cache
def observations(series: str) -> tuple[tuple[date, str], ...]:
    """Return every stored value of a series, oldest first."""
    file, column, _ = SERIES[series]
    body = gzip.decompress((DATA / f"{file}.csv.gz").read_bytes())
    rows = csv.DictReader(body.decode("utf-8-sig").splitlines())
    return tuple((datetime.strptime(row["Date"], "%m/%d/%Y").date(), row[column]) for row in rows)
