"""The canonical records: one shape a kind, whatever the provider.

Frames of records travel as Arrow tables with these schemas. Times are UTC instants in microseconds; a daily label
(an observation's `event_time`) is midnight UTC. Prices and sizes are float64: money is made exact at the order's edge.
"""

import pyarrow as pa

TIME = pa.timestamp("us", tz="UTC")

CANDLE = pa.schema(
    [
        ("symbol", pa.string()),
        ("interval", pa.string()),
        ("open_time", TIME),
        ("close_time", TIME),
        ("open", pa.float64()),
        ("high", pa.float64()),
        ("low", pa.float64()),
        ("close", pa.float64()),
        ("volume", pa.float64()),
        ("quote_volume", pa.float64()),
        ("trade_count", pa.int64()),
        ("is_final", pa.bool_()),
        ("knowledge_time", TIME),
        ("knowledge_basis", pa.string()),
    ]
)
TRADE = pa.schema(
    [
        ("symbol", pa.string()),
        ("trade_id", pa.string()),
        ("event_time", TIME),
        ("price", pa.float64()),
        ("size", pa.float64()),
        ("side", pa.string()),
        ("knowledge_time", TIME),
        ("knowledge_basis", pa.string()),
    ]
)
QUOTE = pa.schema(
    [
        ("symbol", pa.string()),
        ("quote_id", pa.string()),
        ("event_time", TIME),
        ("bid", pa.float64()),
        ("bid_size", pa.float64()),
        ("ask", pa.float64()),
        ("ask_size", pa.float64()),
        ("knowledge_time", TIME),
        ("knowledge_basis", pa.string()),
    ]
)
OBSERVATION = pa.schema(
    [
        ("series", pa.string()),
        ("event_time", TIME),
        ("value", pa.float64()),
        ("unit", pa.string()),
        ("vintage", pa.date32()),
        ("knowledge_time", TIME),
        ("knowledge_basis", pa.string()),
    ]
)
CORPORATE_ACTION = pa.schema(
    [
        ("symbol", pa.string()),
        ("action", pa.string()),
        ("ex_date", pa.date32()),
        ("ratio", pa.float64()),
        ("amount", pa.float64()),
        ("currency", pa.string()),
        ("knowledge_time", TIME),
        ("knowledge_basis", pa.string()),
    ]
)
ARTICLE = pa.schema(
    [
        ("article_id", pa.string()),
        ("url", pa.string()),
        ("title", pa.string()),
        ("summary", pa.string()),
        ("text", pa.string()),
        ("authors", pa.list_(pa.string())),
        ("language", pa.string()),
        ("categories", pa.list_(pa.string())),
        ("published_at", TIME),
        ("knowledge_time", TIME),
        ("knowledge_basis", pa.string()),
    ]
)
DOCUMENT = pa.schema(
    [
        ("document_id", pa.string()),
        ("entity", pa.string()),
        ("form", pa.string()),
        ("title", pa.string()),
        ("url", pa.string()),
        ("period_end", pa.date32()),
        ("filed_at", TIME),
        ("knowledge_time", TIME),
        ("knowledge_basis", pa.string()),
    ]
)

SCHEMAS = {
    "candle": CANDLE,
    "trade": TRADE,
    "quote": QUOTE,
    "observation": OBSERVATION,
    "corporate_action": CORPORATE_ACTION,
    "article": ARTICLE,
    "document": DOCUMENT,
}
