"""One market: volume, averages and ranges are those of the bars that were known, as chart and as table."""

import re
from datetime import UTC, datetime, timedelta
from statistics import mean
from typing import Any

import psycopg
import pytest

from dashboard.core.numbers import short_text
from dashboard.core.svg import HEIGHT, VOLUME_HEIGHT, Candle, candle_chart
from dashboard.gateway.markets import BARS, read_bars
from dashboard.gateway.reading import snapshot
from dashboard.overall_data import markets
from tests.brokerage.conftest import START, AddCandles, rows
from tests.dashboard.conftest import CLOCK, ClientOf, store

Connection = psycopg.Connection[Any]
CLOSES = [100 + (n * 7) % 13 for n in range(60)]


@pytest.fixture
def bars(market: Connection, add_candles: AddCandles, site: str) -> Connection:
    """An hour of minute bars, the last of which is known when the page is asked for."""
    add_candles(CLOSES, start=CLOCK - timedelta(hours=1))
    return market


def test_averages_are_of_the_closes_up_to_each_bar_and_reach_before_the_first_that_is_shown(
    bars: Connection, site: str
) -> None:
    with snapshot():
        found = read_bars(11, "1m", as_of=CLOCK, most=30)
        then = read_bars(11, "1m", as_of=CLOCK - timedelta(minutes=31), most=30)
    assert [bar.close for bar in found] == CLOSES[30:]
    for n, bar in enumerate(found, start=30):
        assert bar.average_20 == pytest.approx(mean(CLOSES[n - 19 : n + 1]))
        assert bar.average_50 == (pytest.approx(mean(CLOSES[n - 49 : n + 1])) if n >= 49 else None)
    assert [bar.close for bar in then] == CLOSES[:29]
    assert [bar.average_20 is None for bar in then] == [True] * 19 + [False] * 10


def test_a_market_begins_with_the_last_close_that_was_known_then(bars: Connection, client_of: ClientOf) -> None:
    client, told = client_of("viewer"), {}
    for minutes in (0, 31):
        as_of = CLOCK - timedelta(minutes=minutes)
        page = client.get("/markets/11/", {"as_of": f"{as_of:%Y-%m-%dT%H:%M}"}).content.decode()
        [figure] = re.findall(r'<div class="figure">(.*?)</div>', page)
        told[minutes] = re.sub(r"<[^>]+>", "", figure).replace("\N{NO-BREAK SPACE}", " ").split()
    for minutes, last in ((0, -1), (31, 28)):
        change = CLOSES[last] / CLOSES[last - 1] - 1
        arrow, sign = ("▲", "+") if change > 0 else ("▼", "\N{MINUS SIGN}")
        assert told[minutes] == [str(CLOSES[last]), "USDT", arrow, f"{sign}{abs(change) * 100:.2f}", "%"]


def test_an_average_costs_as_much_of_fifty_closes_as_of_twenty(bars: Connection, site: str) -> None:
    """A frame of doubles is added up again at each bar: of two frames, two thirds of the time of a chart's query."""
    parameters = {"listing_id": 11, "interval": "1m", "as_of": CLOCK, "most": 30, "span": None}
    plan = "\n".join(row[0] for row in bars.execute(f"EXPLAIN (VERBOSE) {BARS}", parameters))
    assert len(re.findall(r"avg\(\(known\.close\)::numeric\) OVER", plan)) >= 2
    assert "avg(known.close)" not in plan
    moves = "SELECT aggminvtransfn <> 0 FROM pg_aggregate WHERE aggfnoid = 'avg({})'::regprocedure"
    kept = [bars.execute(moves.format(kind)).fetchone() for kind in ("numeric", "float8")]  # a sum that a bar can leave
    assert kept == [(True,), (False,)]


def test_each_bar_is_shown_in_the_version_of_then(bars: Connection, site: str) -> None:
    """The last bar was corrected by an answer of five minutes later, the one before was left out for ten minutes."""
    last, before = CLOCK - timedelta(minutes=1), CLOCK - timedelta(minutes=2)
    corrected, left_out, restored = (CLOCK + timedelta(minutes=minutes) for minutes in (5, 10, 20))
    store(bars, 2, b"[]", at=corrected)
    bars.execute("UPDATE records.candles SET recorded_at = knowledge_time")
    bars.execute(
        "INSERT INTO records.candle_revisions SELECT *, %s FROM records.candles WHERE open_time = %s", [corrected, last]
    )
    bars.execute(
        "UPDATE records.candles SET close = 109, fetch_id = 2, recorded_at = %s WHERE open_time = %s", [corrected, last]
    )
    for number, (at, is_excluded) in enumerate(((left_out, True), (restored, False)), start=1):
        bars.execute(
            """
            INSERT INTO ops.data_requests (
                request_key, kind, requested_by, requested_at, reason, protocol, given, file_name, body
            ) VALUES (gen_random_uuid(), 'exclusion', 'ada', %s, 'x', 'exclusion', '{}', '', '')
            """,
            [at],
        )
        bars.execute(
            "INSERT INTO records.exclusions (relation, key, is_excluded, marked_at, marked_by, reason, request_id) "
            "VALUES ('candles', ARRAY['11', '1m', %s::timestamptz::text], %s, %s, 'ada', 'x', %s)",
            [before, is_excluded, at, number],
        )
    bars.commit()
    shown = {}
    with snapshot():
        for minutes in (4, 6, 11, 21):
            found = read_bars(11, "1m", as_of=CLOCK + timedelta(minutes=minutes), most=30)
            shown[minutes] = {bar.open_time: bar.close for bar in found[-2:]}
    assert [closes[last] for closes in shown.values()] == [CLOSES[-1], 109, 109, 109]
    assert [before in closes for closes in shown.values()] == [True, True, False, True]


def test_a_range_reaches_back_from_the_newest_bar_and_is_never_longer_than_a_thousand(
    bars: Connection, add_candles: AddCandles, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of("viewer")
    add_candles([90.0, 91.0], start=START - timedelta(days=60))

    def count(**wanted: str) -> int:
        page: str = client.get("/markets/11/", wanted).content.decode()
        return page.count('<g class="')

    assert [count(), count(range="1m"), count(range="3m"), count(range="all"), count(range="x")] == [62, 60, 62, 62, 62]
    monkeypatch.setattr(markets, "MOST_BARS", 50)
    assert count(range="1m") == 50
    page = client.get("/markets/11/?range=all").content.decode()
    assert "a longer interval shows all of it" in page


def test_every_listing_is_on_a_page_of_markets(
    bars: Connection, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(markets, "SHOWN_LISTINGS", 1)
    client, path, found = client_of("viewer"), "/markets/", []
    while path:
        page = client.get(path).content.decode()
        found += re.findall(r'href="/markets/(\d+)/"', page)
        link = re.search(r'href="(\?before=\d+)" rel="next"', page)
        path = f"/markets/{link[1]}" if link else ""
    query = "SELECT listing_id::text FROM records.listings ORDER BY venue, symbol"
    assert found == [listing_id for (listing_id,) in rows(bars, query)]
    assert len(found) > 1
    for wrong in ("x", "-1", "99999999999", "²"):
        assert client.get(f"/markets/?before={wrong}").status_code == 404, wrong


def test_the_table_has_the_bars_of_the_chart(
    bars: Connection, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of("viewer")
    page = client.get("/markets/11/?range=1m").content.decode()
    assert page.count('<rect class="volume') == page.count('<g class="') == 60
    points = [len(line.split()) for line in re.findall(r'class="indicator average-\d+" points="([^"]*)"', page)]
    assert points == [60 - 19, 60 - 49]
    table = client.get("/markets/11/?range=1m&view=table").content.decode()
    assert "<svg" not in table.partition("<main")[2]
    assert table.count('href="/bodies/1/"') == 60
    assert "the table has the newest" not in table
    monkeypatch.setattr(markets, "TABLE_ROWS", 7)
    cut = client.get("/markets/11/?range=1m&view=table").content.decode()
    assert cut.count('href="/bodies/1/"') == 7
    assert "the table has the newest 7, all are in" in cut
    row = table.partition("<tbody>")[2].partition("</tr>")[0]
    shown = re.findall(r'class="num">([^<]+)<', row)
    assert shown[3:] == [str(CLOSES[-1]), "1", f"{mean(CLOSES[-20:]):.8g}", f"{mean(CLOSES[-50:]):.8g}"]
    assert table.count("fewer closes are known") == 2 * (19 + 49)  # each is said in words and in its title


def test_a_volume_stands_below_the_candles_in_proportion_and_an_unknown_one_is_none() -> None:
    at = datetime(2024, 1, 2, tzinfo=UTC)
    volumes = [50.0, None, 200.0]
    candles = [Candle(at + timedelta(days=n), 10, 12, 9, 11, volume) for n, volume in enumerate(volumes)]
    chart = candle_chart(candles, [], currency="USD", title="a", indicators={"average-20": [None, 11.0, 20.0]})
    heights = [float(height) for height in re.findall(r'class="volume rise"[^>]* height="([\d.]+)"', chart)]
    tops = [float(top) for top in re.findall(r'class="volume rise" x="[\d.]+" y="([\d.]+)"', chart)]
    assert heights[1] == 4 * heights[0]
    assert min(tops) >= HEIGHT
    assert [top + height for top, height in zip(tops, heights, strict=True)] == [HEIGHT + VOLUME_HEIGHT] * 2
    [line] = re.findall(r'average-20" points="([^"]*)"', chart)
    assert len(line.split()) == 2
    assert all(0 <= float(point.partition(",")[2]) <= HEIGHT for point in line.split())
    assert "volume" not in candle_chart(candles[1:2], [], currency="USD", title="a")


@pytest.mark.parametrize(
    ("value", "text"), [(1_234_567.0, "1.23 M"), (950_000.0, "950 k"), (12.34, "12.3"), (0.5, "0.50"), (2e12, "2.00 T")]
)
def test_a_large_number_is_short(value: float, text: str) -> None:
    assert short_text(value).replace("\N{NO-BREAK SPACE}", " ") == text
