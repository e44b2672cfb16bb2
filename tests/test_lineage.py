"""A prediction is explained without a trade, and a fill of any origin leads to bytes, through its order's events."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from strades_pipelines.brokerage.adoption import adopt
from strades_pipelines.brokerage.command_log import Request, Scope
from strades_pipelines.brokerage.flatten import flatten
from strades_pipelines.brokerage.halts import halt
from strades_pipelines.brokerage.person_orders import decide_by_hand
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.brokerage.replay import replay
from strades_pipelines.database.connection import connect
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.lineage.data import follow_features
from strades_pipelines.lineage.lines import lines
from strades_pipelines.lineage.row_lineage import NotFound
from strades_pipelines.lineage.trace import trace_all, trace_one
from strades_pipelines.market.order_terms import OrderRequest, OrderTerms
from strades_pipelines.predictor.features import write_features
from strades_pipelines.predictor.forecasts import write_forecasts
from strades_pipelines.predictor.formulas import FAMILIES, SESSIONS
from strades_pipelines.predictor.models.kinds import KINDS
from strades_pipelines.predictor.walk_forward import train_models
from tests.brokerage.conftest import REPLAY, market, rows
from tests.brokerage.conftest import Connection as Trading
from tests.brokerage.test_reconcile import Desk, limit
from tests.ingestion.conftest import add_listing, gate_body, gate_row, store_body
from tests.predictor.made import NOW, make_market

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

__all__ = ["market"]


def test_prediction_is_traced_to_its_model_its_feature_values_and_their_bars(
    database_url: str, adbc: "Connection"
) -> None:
    made = make_market(database_url, adbc, sessions=200)
    start, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 7, 1, tzinfo=UTC)
    kinds = {"hgb": KINDS["hgb"]}
    write_features(database_url, start=start, end=end, now=NOW, families=("alpha158",))
    train_models(database_url, start=start, end=end, now=NOW, kinds=kinds)
    write_forecasts(database_url, start=start, end=end, now=NOW, kinds=kinds)
    [(identity,)] = made.rows(
        "SELECT prediction_id FROM predictions.forecasts WHERE status = 'predicted' ORDER BY 1 LIMIT 1"
    )
    found = trace_one(str(identity), database_url)
    assert found["model"]["name"] == found["prediction"]["name"] == "hgb"
    assert found["features"]["inputs_hash"] == found["prediction"]["inputs_hash"]
    assert len(found["cleaned"]) == SESSIONS
    # The made market has no stored bodies, and the trace says so.
    assert [fault for fault in found["faults"] if "is gone from rawsources.fetches" in fault]
    text = "\n".join(lines(found))
    assert f"return_1 {found['features']['return_1']:.6g}" in text
    assert all(f"{family}: " in text for family in (*FAMILIES, "alpha158"))
    assert f" · klen {found['features']['klen']:.6g}" in text
    with pytest.raises(NotFound, match="or a prediction, was 'NOPE'"):
        trace_one("NOPE", database_url)
    row = found["features"]
    with connect(database_url) as connection:
        behind = follow_features(connection, row["listing_id"], row["decision_time"])
        assert follow_features(connection, row["listing_id"], start) == set()
    own = (
        "SELECT DISTINCT fetch_id FROM cleaned.daily_bars WHERE listing_id = {} AND session_date BETWEEN '{}' AND '{}'"
    )
    bars = made.rows(own.format(row["listing_id"], row["window_start"], row["session_date"]))
    assert behind >= {fetch_id for (fetch_id,) in bars} > set()


def test_cell_taken_from_another_venue_is_traced_to_that_venues_bytes(database_url: str, adbc: "Connection") -> None:
    made = make_market(database_url, adbc, sessions=200)
    start, end = datetime(2020, 6, 1, tzinfo=UTC), datetime(2020, 7, 1, tzinfo=UTC)
    write_features(database_url, start=start, end=end, now=NOW)
    made.execute(
        "INSERT INTO predictions.forecasts SELECT 'P' || listing_id, 'ridge', listing_id, session_date, decision_time,"
        " NULL, NULL, 'no_model', inputs_hash, now() FROM features.daily WHERE session_date = '2020-06-10'"
    )
    replay(adbc, replace(REPLAY, instruments=("v:1",), interval="1d", currency="USD"), start=start, end=end, now=NOW)
    fill = str(made.rows("SELECT fill_id FROM trading.fills ORDER BY filled_at DESC LIMIT 1")[0][0])
    with connect(database_url) as connection:
        add_listing(connection, "gateio", "BTC_USDT")
    fetch = store_body(database_url, gate_body(gate_row(0)))
    load_stored(url=database_url, now=NOW)
    made.execute(
        "UPDATE cleaned.daily_bars SET replaced_cells = '{close}', replacement_fetch_ids = %s"
        " WHERE listing_id = 1 AND session_date >= '2020-06-09'",
        [fetch],
    )
    # The market whose cells they are, a peer its features are ranked among, and a trade on its bars.
    for identity in ("P1", "P2", fill):
        [found] = [one for one in trace_one(identity, database_url)["fetches"] if one["fetch_id"] == fetch]
        assert (found["rows"], found["faults"]) == (1, [])
    made.execute("UPDATE records.candles SET close = close + 0.5 WHERE fetch_id = %s", fetch)
    [fault] = [fault for fault in trace_one("P1", database_url)["faults"] if str(fetch) in fault]
    assert "expected the stored candle BTC_USDT" in fault


@pytest.fixture
def desk(market: Trading) -> Desk:
    return Desk(market)


def by_a_person(desk: Desk, quantity: int, **terms: Decimal) -> None:
    wallet = load_wallet(desk.market, "alpaca")
    request = Request("order", Scope("wallet", "alpaca"), "alice", desk.now)
    order = OrderRequest(Decimal(quantity), OrderTerms(**terms))  # type: ignore[arg-type]
    decide_by_hand(desk.market, wallet, wallet.listings[0], order, request)
    desk.market.commit()


def of_a_strategy(desk: Desk) -> None:
    desk.decide(OrderRequest(Decimal(3), OrderTerms()))


def of_a_bracket(desk: Desk) -> None:
    """An entry, which is filled, then its stop and its take-profit, which the price comes to."""
    entry = desk.decide(limit(3, "101"))
    for terms in ({"stop": Decimal(95)}, {"limit": Decimal(105)}):
        desk.later(0.1)
        linked = OrderTerms(**terms, reduce_only=True, group=entry, parent_id=entry)  # type: ignore[arg-type]
        desk.decide(OrderRequest(Decimal(-3), linked))
    for price in ("100", "100", "106"):
        desk.at.set_price(price)
        desk.execute()
        desk.later()


def of_a_person(desk: Desk) -> None:
    by_a_person(desk, 3)


def of_a_flatten(desk: Desk) -> None:
    by_a_person(desk, 3)
    desk.execute()
    desk.later()
    desk.execute()
    request = Request("flatten", Scope("wallet", "alpaca"), "alice", desk.now)
    halt(desk.market, request, "halted")
    flatten(desk.market, desk.at.broker, request, clock=lambda: desk.now, seconds=0)


def of_an_adopted_fill(desk: Desk) -> None:
    desk.by_hand(5)
    desk.later()
    desk.reconcile()
    adopt(desk.market, desk.wallets[0], desk.finding().finding_id, desk.request("adopt"))


def of_an_adopted_order(desk: Desk) -> None:
    desk.by_hand(4, limit_price=Decimal(99))
    desk.reconcile()
    adopt(desk.market, desk.wallets[0], desk.finding().finding_id, desk.request("adopt"))
    desk.at.set_price("98")
    desk.later()
    desk.reconcile()


def filled_while_we_were_away(desk: Desk) -> None:
    desk.decide(limit(3, "99"))
    desk.execute()
    desk.at.set_price("98")
    desk.later(60)
    desk.reconcile()


@pytest.mark.parametrize(
    ("trade", "fills"),
    [
        (of_a_strategy, 1),
        (of_a_bracket, 2),
        (of_a_person, 1),
        (of_a_flatten, 2),
        (of_an_adopted_fill, 1),
        (of_an_adopted_order, 1),
        (filled_while_we_were_away, 1),
    ],
)
def test_27_a_fill_at_a_venue_leads_through_its_orders_events_to_what_the_venue_said(
    trade: Callable[[Desk], None], fills: int, desk: Desk, database_url: str
) -> None:
    trade(desk)
    for _ in range(2):
        desk.execute()
        desk.later()
    found = rows(desk.market, "SELECT fill_id, intent_id FROM trading.fills ORDER BY filled_at")
    assert len(found) == fills
    for fill_id, intent_id in found:
        document = trace_one(fill_id, database_url)
        assert document["faults"] == []
        stored = desk.market.execute(
            "SELECT sequence, state, message FROM trading.order_events WHERE intent_id = %s ORDER BY 1", [intent_id]
        ).fetchall()
        desk.market.commit()
        said = [None if message is None else hashlib.sha256(message).hexdigest() for *_, message in stored]
        assert [(one["sequence"], one["state"], one["sha256"]) for one in document["events"]] == [
            (sequence, state, hashed) for (sequence, state, _), hashed in zip(stored, said, strict=True)
        ]
        assert document["events"][-1]["state"] == "filled"
        if trade is of_an_adopted_fill:
            assert document["finding"]["evidence"]["client_order_id"]
        else:
            answers = [json.loads(one["message"]) for one in document["events"] if one["message"]]
            assert {answer["client_order_id"] for answer in answers} == {intent_id}
        assert "filled" in "\n".join(lines(document))
    assert trace_all(database_url)["faults"] == []


def test_27_a_venues_answer_does_not_stand_in_for_the_bars_that_a_decision_read(desk: Desk, database_url: str) -> None:
    """It names a bar of minutes and a prediction, and there is neither any more: each is a fault."""
    of_a_strategy(desk)
    for _ in range(2):
        desk.execute()
        desk.later()
    at = desk.now.isoformat()
    bars = {"listing_id": 1, "interval": "1m", "first_open_time": at, "last_open_time": at}
    read = {"bars": bars, "prediction_id": "P"}
    desk.market.execute("ALTER TABLE signals.decisions DISABLE TRIGGER USER")
    desk.market.execute("UPDATE signals.decisions SET inputs = %s", [json.dumps(read)])
    desk.market.commit()
    [(fill_id,)] = rows(desk.market, "SELECT fill_id FROM trading.fills")
    faults = ["prediction P is gone", f"{fill_id}: no stored body stands behind it"]
    assert trace_one(fill_id, database_url)["faults"] == faults
    assert trace_all(database_url)["faults"] == faults


def test_27_a_fill_that_nothing_stored_stands_behind_is_a_fault(desk: Desk, database_url: str) -> None:
    of_a_strategy(desk)
    for _ in range(2):
        desk.execute()
        desk.later()
    # The table takes no update; its owner may tamper with it all the same.
    desk.market.execute("ALTER TABLE trading.order_events DISABLE TRIGGER USER")
    desk.market.execute("UPDATE trading.order_events SET message = NULL")
    desk.market.commit()
    [(fill_id,)] = rows(desk.market, "SELECT fill_id FROM trading.fills")
    fault = f"{fill_id}: no stored body stands behind it"
    assert trace_one(fill_id, database_url)["faults"] == [fault]
    assert trace_all(database_url)["faults"] == [fault]
