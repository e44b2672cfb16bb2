"""Predictions, features and bars, back to the fetches that their rows were read from."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from psycopg.rows import dict_row

from strades_pipelines.bad_input import BadInput
from strades_pipelines.brokerage.prices import bar_table
from strades_pipelines.database.asof import cold_first_stored, cold_union
from strades_pipelines.database.cold_store import ColdStoreError, cold_months, read_months
from strades_pipelines.ingestion.verify import verify_fetch
from strades_pipelines.lineage.row_lineage import Connection, Lineage, Row, read_row, read_rows
from strades_pipelines.predictor.families.published import SERIES

LOOK_BACK = timedelta(days=45)  # longer than any window of a series or of articles
PUBLISHED = """
    SELECT DISTINCT fetch_id FROM records.observation_versions
    WHERE series = any(%s) AND event_time BETWEEN %s AND %s
"""
WRITTEN = "SELECT DISTINCT fetch_id FROM records.articles WHERE knowledge_time BETWEEN %s AND %s"
REWARDED = """
    SELECT DISTINCT fetch_id FROM records.corporate_actions WHERE listing_id = %s AND ex_date BETWEEN %s AND %s
"""
# A bar of which another venue gave some cells comes from that venue's bytes too.
PEERS = """
    SELECT DISTINCT unnest(peer.fetch_id || peer.replacement_fetch_ids) AS fetch_id FROM cleaned.daily_bars AS peer
    WHERE peer.venue = (SELECT venue FROM records.listings WHERE listing_id = %s)
        AND peer.session_date BETWEEN %s AND %s
"""
# `quoted_listing_id`: the listing whose candle stands for the market, which is that of another venue where it is.
DAILY = """
    SELECT b.*, q.listing_id AS quoted_listing_id FROM cleaned.daily_bars AS b
    LEFT JOIN records.listings AS q ON (q.venue, q.symbol) = (b.quoted_venue, b.symbol)
"""
CLEANED = DAILY + "WHERE b.listing_id = %s AND b.session_date BETWEEN %s AND %s ORDER BY b.session_date"
CLEANED_AT = DAILY + "WHERE b.listing_id = %s AND b.open_time BETWEEN %s AND %s ORDER BY b.open_time"
CANDLES = """
    SELECT * FROM records.candles WHERE listing_id = %s AND "interval" = %s AND open_time BETWEEN %s AND %s
    ORDER BY open_time
"""
QUOTED = """
    SELECT c.* FROM unnest(%s::int[], %s::timestamptz[]) AS bar (listing_id, open_time)
    INNER JOIN records.candles AS c ON (c.listing_id, c."interval", c.open_time) = (bar.listing_id, '1d', bar.open_time)
    ORDER BY c.open_time
"""
# What a strategy may have heard: of a replay as it happened, of the others as it was stored (brokerage/trade_feed.py).
HEARD = """
    {cold} SELECT t.* FROM {rows} AS t {first_stored}
    CROSS JOIN LATERAL records.{heard_at}(t.listing_id, t.{number}, t.event_time, {recorded_at}) AS h
    CROSS JOIN LATERAL (SELECT CASE WHEN %(is_replay)s THEN t.event_time ELSE h.heard_at END AS known) AS k
    WHERE t.listing_id = ANY(%(listing_ids)s) AND k.known BETWEEN %(heard_from)s AND %(heard_to)s
        AND k.known - t.event_time < '1 minute'::interval
        AND t.event_time BETWEEN %(heard_from)s::timestamptz - interval '1 minute' AND %(heard_to)s AND {where}
    ORDER BY k.known, t.listing_id, t.event_time, length(t.{number}), t.{number}
"""
QUOTES = HEARD.format(
    cold="",
    rows="records.quotes",
    first_stored="",
    recorded_at="t.recorded_at",
    heard_at="quote_heard_at",
    number="quote_id",
    where="t.bid IS NOT NULL AND t.ask IS NOT NULL",  # those with one side are no events (brokerage/quote_feed.py)
)
# Not a temporary table: the dashboard's transactions write none.
COLD_TRADES = """
    WITH cold_rows AS (
        SELECT * FROM unnest(
            %(listing_id)s::int[], %(trade_id)s::text[], %(event_time)s::timestamptz[], %(price)s::double precision[],
            %(size)s::double precision[], %(side)s::text[], %(knowledge_time)s::timestamptz[],
            %(knowledge_basis)s::text[], %(fetch_id)s::bigint[], %(recorded_at)s::timestamptz[]
        ) AS rows (
            listing_id, trade_id, event_time, price, size, side, knowledge_time, knowledge_basis, fetch_id, recorded_at
        )
    )
"""
ARTICLES = """
    SELECT first.fetch_id FROM unnest(%s::text[], %s::text[]) AS read (source, article_id)
    CROSS JOIN LATERAL (
        SELECT every.fetch_id FROM (
            SELECT source, article_id, fetch_id, recorded_at FROM records.articles
            UNION ALL SELECT source, article_id, fetch_id, recorded_at FROM records.article_revisions
        ) AS every
        WHERE every.source = read.source AND every.article_id = read.article_id ORDER BY every.recorded_at LIMIT 1
    ) AS first
"""
SPLITS = """
    SELECT DISTINCT split.fetch_id, adjusted.fetch_id AS adjusted_id FROM records.split_adjustments AS adjusted
    INNER JOIN records.listings AS own ON own.listing_id = adjusted.listing_id
    INNER JOIN records.listings AS peer
        ON (peer.symbol, peer.currency, peer.calendar) = (own.symbol, own.currency, own.calendar)
    INNER JOIN records.corporate_actions AS split
        ON split.listing_id = peer.listing_id AND split.action = 'split' AND split.knowledge_time > adjusted.to_time
    WHERE adjusted.fetch_id = ANY(%s)
"""


def follow_features(connection: Connection, listing_id: int, decision_time: datetime) -> set[int]:
    """The fetches that the features of a listing at a decision rest on; empty where there are none."""
    features = read_row(
        connection,
        "SELECT * FROM features.daily WHERE listing_id = %s AND decision_time = %s",
        listing_id,
        decision_time,
    )
    if features is None:
        return set()
    bars = read_rows(connection, CLEANED, listing_id, features["window_start"], features["session_date"])
    own = [fetch_id for row in bars for fetch_id in (row["fetch_id"], *(row.get("replacement_fetch_ids") or ()))]
    return {*own, *_behind_features(connection, features)}


def splits_behind(connection: Connection, fetch_ids: Collection[int]) -> Mapping[int, set[int]]:
    """The fetches of the splits that adjusted bars of these fetches, each with the fetches of those bars."""
    fetches_of: dict[int, set[int]] = {}
    for row in read_rows(connection, SPLITS, list(fetch_ids)):
        fetches_of.setdefault(row["fetch_id"], set()).add(row["adjusted_id"])
    return fetches_of


def follow_prediction(connection: Connection, lineage: Lineage, prediction_id: str | None) -> tuple[set[int], set[int]]:
    """Add prediction, model, features and the bars under the features.

    Returns:
        The fetches of what else the features read, and of the bars that the model was trained on.
    """
    if prediction_id is None:
        return set(), set()
    forecast = read_row(connection, "SELECT * FROM predictions.forecasts WHERE prediction_id = %s", prediction_id)
    if forecast is None:
        if lineage.decision is not None:
            lineage.faults.append(f"prediction {prediction_id} is gone")
        return set(), set()
    lineage.prediction = forecast
    lineage.model = read_row(connection, "SELECT * FROM predictions.models WHERE model_id = %s", forecast["model_id"])
    key = (forecast["listing_id"], forecast["decision_time"])
    features = read_row(connection, "SELECT * FROM features.daily WHERE listing_id = %s AND decision_time = %s", *key)
    if features is None:
        return set(), set()
    alpha158 = read_row(
        connection, "SELECT * FROM features.alpha158 WHERE listing_id = %s AND decision_time = %s", *key
    )
    lineage.features = {**(alpha158 or {}), **features}
    window = (features["listing_id"], features["window_start"], features["session_date"])
    lineage.cleaned += read_rows(connection, CLEANED, *window)
    return _behind_features(connection, features), _behind_training(connection, lineage.model)


def _behind_features(connection: Connection, features: Row) -> set[int]:
    """The fetches of what else went into a feature row: series, articles, dividends, and the peers' bars."""
    window = (features["window_start"], features["session_date"])
    rows = [
        *read_rows(
            connection, PUBLISHED, list(SERIES), features["decision_time"] - LOOK_BACK, features["decision_time"]
        ),
        *read_rows(connection, WRITTEN, features["decision_time"] - LOOK_BACK, features["decision_time"]),
        *read_rows(connection, REWARDED, features["listing_id"], *window),
        *read_rows(connection, PEERS, features["listing_id"], *window),
    ]
    return {row["fetch_id"] for row in rows}


def _behind_training(connection: Connection, model: Row | None) -> set[int]:
    """The fetches of the bars a model was trained on, all listings."""
    if model is None:
        return set()
    rows = read_rows(
        connection,
        """
        SELECT DISTINCT unnest(b.fetch_id || b.replacement_fetch_ids) AS fetch_id FROM cleaned.daily_bars AS b
        WHERE b.session_date >= (
                SELECT min(f.window_start) FROM features.daily AS f WHERE f.decision_time BETWEEN %s AND %s
            )
            AND b.knowledge_time <= %s
        """,
        model["train_from"],
        model["train_to"],
        model["trained_at"],
    )
    return {row["fetch_id"] for row in rows}


def follow_bars(connection: Connection, lineage: Lineage) -> None:
    """The bars a decision read, and the bar whose open its fill took."""
    spans = []
    if bars := (lineage.decision or {"inputs": {}})["inputs"].get("bars"):
        spans.append((bars["listing_id"], bars["interval"], bars["first_open_time"], bars["last_open_time"]))
    if (fill := lineage.fill) and fill["bar_open_time"]:
        spans.append((fill["listing_id"], fill["bar_interval"], fill["bar_open_time"], fill["bar_open_time"]))
    for listing_id, interval, *span in spans:
        candles = read_rows(connection, CANDLES, listing_id, interval, *span)
        if bar_table(interval) == "cleaned.daily_bars":
            daily_bars = read_rows(connection, CLEANED_AT, listing_id, *span)
            lineage.cleaned += [row for row in daily_bars if row not in lineage.cleaned]
            quoted = [row for row in daily_bars if row["quoted_listing_id"] not in (None, listing_id)]
            places = [[row[name] for row in quoted] for name in ("quoted_listing_id", "open_time")]
            # On these days another venue's candle stands for the market.
            candles = [row for row in candles if row["open_time"] not in places[1]]
            candles += read_rows(connection, QUOTED, *places)
        lineage.records += candles


def follow_trades(connection: Connection, lineage: Lineage) -> None:
    """The trades a decision read; where they are in a cold store that cannot be read, a fault says so."""
    decision = lineage.decision or {"inputs": {}}
    if read := decision["inputs"].get("trades"):
        try:
            cold, trades_relation = _cold_trades(connection, read)
        except (BadInput, ColdStoreError) as error:
            lineage.faults.append(f"decision {decision['decision_id']}: its trades are in a cold month: {error}")
            return
        first_stored, recorded_at = cold_first_stored() if cold else ("", "t.recorded_at")
        query = HEARD.format(
            cold=COLD_TRADES if cold else "",
            rows=trades_relation,
            first_stored=first_stored,
            recorded_at=recorded_at,
            heard_at="heard_at",
            number="trade_id",
            where="true",
        )
        lineage.trades += _heard_rows(connection, lineage, "trade", query, read | cold)


def follow_quotes(connection: Connection, lineage: Lineage) -> None:
    """The quotes a decision read."""
    if read := (lineage.decision or {"inputs": {}})["inputs"].get("quotes"):
        lineage.quotes += _heard_rows(connection, lineage, "quote", QUOTES, read)


def _heard_rows(connection: Connection, lineage: Lineage, kind: str, query: str, read: Row) -> list[Row]:
    """The trades or quotes of a decision's window; a fault where it was made on one and none is left."""
    decision = lineage.decision
    assert decision is not None
    wallet = read_row(connection, "SELECT mode FROM trading.wallets WHERE wallet = %s", decision["wallet"])
    heard = {**read, "is_replay": wallet is not None and wallet["mode"] == "replay"}
    rows = connection.cursor(row_factory=dict_row).execute(query, heard).fetchall()
    if not rows and decision["trigger_kind"] == kind:
        lineage.faults.append(f"decision {decision['decision_id']}: the {kind}s that it was made on are gone")
    return rows


def _cold_trades(connection: Connection, read: Row) -> tuple[dict[str, list[object]], str]:
    """The columns of trades in cold months that a decision may have heard, and the relation that has all trades."""
    first, end = (datetime.fromisoformat(str(read[name])) for name in ("heard_from", "heard_to"))
    span = first - timedelta(minutes=1), end + timedelta(microseconds=1)
    with connection.cursor() as cursor:
        months = cold_months(cursor, "records.trades", span)
    if not months:
        return {}, "records.trades"
    rows = read_months(months, span, read["listing_ids"])
    columns = {name: rows[name].to_pylist() for name in rows.column_names}
    return columns, cold_union("records.trades", None)


def follow_articles(connection: Connection, lineage: Lineage) -> set[int]:
    """The fetches of the articles that a decision read, each as it was first stored."""
    read = (lineage.decision or {"inputs": {}})["inputs"].get("articles", [])
    keys = [article.partition(" ") for article in read]
    found = read_rows(connection, ARTICLES, [key[0] for key in keys], [key[2] for key in keys])
    if gone := len(read) - len(found):
        lineage.faults.append(f"{gone} of the {len(read)} articles that the decision read are gone")
    return {row["fetch_id"] for row in found}


def verify(connection: Connection, fetch_id: int) -> Row:
    fetch = read_row(
        connection,
        """
        SELECT f.fetch_id, f.source, f.protocol, f.url, f.fetched_at, encode(f.sha256, 'hex') AS sha256,
            s.connection, s.first_frame, s.last_frame
        FROM rawsources.fetches AS f, LATERAL (
            SELECT min(connection) AS connection, min(sequence) AS first_frame, max(sequence) AS last_frame
            FROM rawsources.frames WHERE fetch_id = f.fetch_id
        ) AS s
        WHERE f.fetch_id = %s
        """,
        fetch_id,
    )
    if fetch is None:
        return {"fetch_id": fetch_id, "faults": [f"fetch {fetch_id} is gone from rawsources.fetches"]}
    try:
        with connection.cursor() as cursor:
            verification = verify_fetch(cursor, fetch_id)
    except LookupError as error:
        return {**fetch, "rows": 0, "faults": [str(error)]}
    return {**fetch, "rows": verification.rows, "faults": list(verification.faults)}
