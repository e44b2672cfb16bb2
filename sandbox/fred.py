"""FRED over real series: `fred.stlouisfed.org/graph/fredgraph.csv?id=<series>` and its interface with vintages,
`api.stlouisfed.org/fred/series/observations`.

The numbers are those of `sandbox/data/fred/` (its README says where they come from): DCOILWTICO (oil, daily), CPILFESL
(core CPI, monthly), AAA and BAA (bond yields, monthly), VIXCLS (daily since 2014). A row is served once its day and the
series' usual delay have passed; none is invented after the last. The interface wants a key, any will do; each value has
one vintage, of the day it was served first: what was revised when is not in the files.
"""

import csv
import gzip
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

from sandbox.world import Reply, World, json_reply, strong_etag

HOST, API_HOST = "fred.stlouisfed.org", "api.stlouisfed.org"
API_PATH = "fred/series/observations"
MOST_OBSERVATIONS = 100_000
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


def api_answer(world: World, path: str, query: Mapping[str, str]) -> Reply:
    """Answer `path` (below the host) of the interface: the observations of a series, with the day of their vintage."""
    series, limit = query.get("series_id", ""), query.get("limit", str(MOST_OBSERVATIONS))
    if path != API_PATH:
        return Reply(b"<!DOCTYPE html><html><body>Not Found</body></html>\n", "text/html", 404)
    if not query.get("api_key"):
        return _api_error("Variable api_key is not set.  Read https://fred.stlouisfed.org/docs/api/api_key.html.")
    if query.get("file_type") != "json":
        return _api_error("The sandbox speaks file_type=json.")
    if series not in SERIES:
        return _api_error("The series does not exist.")
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= MOST_OBSERVATIONS):
        return _api_error(f"Variable limit is not between 1 and {MOST_OBSERVATIONS}.")
    today, lag = world.now().date(), timedelta(days=SERIES[series][2])
    known = [(day, day + lag, value) for day, value in observations(series) if day + lag <= today]
    rows = [
        {"realtime_start": f"{first}", "realtime_end": "9999-12-31", "date": f"{day}", "value": value}
        for day, first, value in known[: int(limit)]
    ]
    given = {name: query.get(name, "9999-12-31") for name in ("realtime_start", "realtime_end")}
    order = {"order_by": "observation_date", "sort_order": "asc"}
    return json_reply(given | order | {"count": len(known), "offset": 0, "limit": int(limit), "observations": rows})


def _api_error(message: str) -> Reply:
    return json_reply({"error_code": 400, "error_message": f"Bad Request.  {message}"}, status=400)


@cache
def observations(series: str) -> tuple[tuple[date, str], ...]:
    """Return every stored value of a series, oldest first."""
    file, column, _ = SERIES[series]
    body = gzip.decompress((DATA / f"{file}.csv.gz").read_bytes())
    rows = csv.DictReader(body.decode("utf-8-sig").splitlines())
    return tuple((datetime.strptime(row["Date"], "%m/%d/%Y").date(), row[column]) for row in rows)
