"""What happened to an order, and what a person did without data of ours: a statement's line, an adopted finding."""

import hashlib

from strades_pipelines.ingestion.bodies import BodyCorrupt, unpack
from strades_pipelines.lineage.row_lineage import Connection, Lineage, Row, read_row, read_rows

EVENTS = """
    SELECT sequence, state, filled, venue_order_id, venue_time, reason, recorded_at, message
    FROM trading.order_events WHERE intent_id = %s ORDER BY sequence
"""
ADOPTED = """
    SELECT finding_id, account, code, reference, quantity, price, occurred_at, detail, evidence
    FROM trading.findings WHERE %s = 'finding@' || finding_id
"""


def follow_order(connection: Connection, lineage: Lineage) -> Lineage:
    """Add what happened to the order, and the finding that it was adopted from; returns the same lineage.

    An event's `message` is what the venue said, as text, with `sha256` of its bytes; None where it said nothing.
    """
    if lineage.intent:
        lineage.events = [_with_text(row) for row in read_rows(connection, EVENTS, lineage.intent["intent_id"])]
    if lineage.decision:
        lineage.finding = read_row(connection, ADOPTED, lineage.decision["trigger_id"])
    return lineage


def _with_text(event: Row) -> Row:
    """An event with its message as text, and the hash of the message's bytes."""
    message = event.pop("message")
    if message is None:
        return event | {"sha256": None, "message": None}
    return event | {
        "sha256": hashlib.sha256(message).hexdigest(),
        # A venue may send bytes that are no text: none of them is lost.
        "message": bytes(message).decode(errors="backslashreplace"),
    }


def follow_statement(connection: Connection, inputs: Row) -> Row:
    """The row of a statement that a person's trade was read from: its file, and the line as it stands in the bytes.

    Args:
        inputs: of its decision.

    Returns:
        `{"sha256", "file_name", "format", "row", "line", "faults"}`.
    """
    sha256, row = bytes.fromhex(inputs["statement"]), int(inputs["row"])
    stored = read_row(
        connection,
        """
        SELECT s.file_name, s.format, b.size, b.body
        FROM trading.statements AS s INNER JOIN rawsources.bodies AS b USING (sha256) WHERE s.sha256 = %s LIMIT 1
        """,
        sha256,
    )
    document: Row = {"sha256": sha256.hex(), "row": row, "file_name": None, "format": None, "line": None, "faults": []}
    if stored is None:
        return document | {"faults": [f"statement {sha256.hex()} is gone from rawsources.bodies"]}
    document |= {"file_name": stored["file_name"], "format": stored["format"]}
    try:
        text = unpack(sha256, stored["size"], stored["body"]).decode("utf-8-sig")
    except (BodyCorrupt, UnicodeDecodeError) as error:
        return document | {"faults": [str(error)]}
    return document | {"line": text.splitlines()[row - 1]}
