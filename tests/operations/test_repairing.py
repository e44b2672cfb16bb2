"""`strades discrepancies`: what it lists, and that the first word on a repair counts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from strades_pipelines.bad_input import BadInput
from strades_pipelines.ingestion.data_requests import waiting_requests
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.operations.repairing import decide, read_discrepancies, run_discrepancies
from tests.ingestion.conftest import NOW, Store, store
from tests.ingestion.test_discrepancies import load_wrong

__all__ = ["store"]
AT = datetime(2026, 11, 1, 0, 20, tzinfo=UTC)


def test_an_open_one_is_listed_until_somebody_says_yes_or_no(
    store: Store,
    connection: psycopg.Connection[Any],
    database_url: str,
) -> None:
    fetch_id = load_wrong(database_url, store, (20,))
    [row] = read_discrepancies(connection, "BTC_USDT", "open")
    assert {name: row[name] for name in ("instrument", "interval", "from_time", "cause", "repair", "fetch_id")} == {
        "instrument": "gateio:BTC_USDT",
        "interval": "1m",
        "from_time": AT,
        "cause": "hundredfold",
        "repair": "correction",
        "fetch_id": fetch_id,
    }
    request_id = decide(connection, row["discrepancy_id"], accept=True, by="ada")
    assert waiting_requests(connection) == [request_id]
    for accept in (True, False):
        with pytest.raises(BadInput, match="expected the id of an open discrepancy, was"):
            decide(connection, row["discrepancy_id"], accept=accept, by="bob")
        connection.rollback()
    assert read_discrepancies(connection, None, "open") == []
    [settled] = read_discrepancies(connection, None, "accepted")
    assert (settled["decided_by"], settled["outcome"]) == ("ada", None)
    load_stored(url=database_url, now=NOW + timedelta(hours=1))
    assert len(read_discrepancies(connection, None, None)) == 1


def test_words_that_are_wrong_are_told_before_anything_is_done() -> None:
    with pytest.raises(BadInput, match="--state: expected one of open, accepted"):
        run_discrepancies(None, "x", None, None, as_json=True)
    with pytest.raises(BadInput, match="expected --accept or --dismiss"):
        run_discrepancies(None, "open", 1, 1, as_json=True)
