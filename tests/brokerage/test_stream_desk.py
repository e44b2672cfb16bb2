"""A paper wallet on the sandbox's stream, from frame to fill: it decides at once, once, and the same again.

What is expected of its strategy is worked out here, from the sandbox's own tape or from the trades in the order in
which they came.
"""

import json
import math
import signal
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import Any, ClassVar

import pytest

from strades_pipelines.brokerage import stream_desk
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.stream_desk import StreamDesk, stream_hearing_wallets
from strades_pipelines.brokerage.trade_pass import Desk
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.database.connection import adbc_connect, connect
from strades_pipelines.lineage.stream_replay import replay_connection
from strades_pipelines.lineage.trace import trace_one
from strades_pipelines.settings import settings
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Quote
from strades_pipelines.strategy.registry import strategies
from strades_pipelines.strategy.strategy import Strategy
from tests.brokerage.stream_desk_child import SPEED, STREAMS
from tests.children import run_child
from tests.ingestion.streams import fast_clock
from tests.ingestion.streams.conftest import Streaming, streaming
from tests.ingestion.streams.fast_clock import record_all
from tests.ingestion.streams.test_quote_streams import tape as quote_tape
from tests.ingestion.streams.test_streams import tape

__all__ = ["streaming"]
PAIR = "BTC_USDT"
SIZE = 0.01
WINDOW = 30.0
ENTRY: dict[str, Any] = {
    "name": "flow",
    "mode": "paper",
    "strategy": "trade_imbalance",
    "parameters": {"window": WINDOW, "enter": 0.0, "leave": 0.0, "hold": 1000, "size": SIZE},
    "instruments": [f"gateio:{PAIR}"],
    "interval": "1m",
    "currency": "USDT",
    "cash": 10_000,
}
RISING_ENTRY = ENTRY | {"name": "rising", "strategy": "rising_bid", "parameters": {}, "instruments": [f"x:{PAIR}"]}
DECISIONS = """
    SELECT d.target, d.decided_at FROM signals.decisions AS d WHERE d.trigger_kind = 'trade'
    ORDER BY d.decided_at, d.ordinal
"""
# The trades in the order in which they came, and when they were stored.
HEARD = """
    SELECT t.trade_id, h.at, t.size, t.side FROM records.trades AS t
    INNER JOIN records.listings AS l USING (listing_id)
    CROSS JOIN LATERAL (SELECT greatest(t.event_time, t.recorded_at) AS at) AS h
    WHERE l.symbol = 'BTC_USDT' AND h.at - t.event_time < '1 minute'::interval
    ORDER BY h.at, t.event_time, t.trade_id::bigint
"""
ORDERS = """
    SELECT d.decision_id, count(i.intent_id), count(r.decision_id) FROM signals.decisions AS d
    LEFT JOIN trading.intents AS i USING (decision_id) LEFT JOIN trading.refusals AS r USING (decision_id)
    GROUP BY 1 HAVING count(i.intent_id) + count(r.decision_id) <> 1
"""


@dataclass
class Room:
    """The wallet `flow`, open since before the first trade."""

    streaming: Streaming

    def stream(self, minutes: float) -> None:
        """Keep both streams of the venue for so long a time of the market, with the desk."""
        one = self.streaming
        one.clock.stop()
        desk = StreamDesk(one.url, clock=one.clock.now, say=one.said.append)
        record_all(STREAMS, one.sources, one.clock, one.url, one.said.append, desk, minutes)

    def stream_and_trade(self, minutes: float) -> None:
        """As `stream`, while the order room passes over its wallets again and again, in a thread of its own."""
        is_over = Event()

        def pass_again_and_again() -> None:
            while not is_over.wait(0.2):
                self.trade()

        with ThreadPoolExecutor(1) as room:
            passing = room.submit(pass_again_and_again)
            self.stream(minutes)
            is_over.set()
            passing.result()

    def trade(self) -> list[str]:
        """A pass of the order room; returns the fills."""
        url = self.streaming.url
        with connect(url) as ours, connect(url) as theirs, closing(adbc_connect(url)) as adbc:
            done, errors, _ = Desk(ours, theirs, adbc, self.streaming.clock.now).trade(stream_hearing_wallets(), None)
        assert errors == {}
        return [fill for executed in done.values() for fill in executed.fills]

    def decide_anew(self) -> int:
        """Decide from the opening on, as after a restart that finds no checkpoint; returns how much that is new."""
        with connect(self.streaming.url) as connection, closing(adbc_connect(self.streaming.url)) as adbc:
            connection.execute("DELETE FROM trading.wallet_checkpoints")
            made = decide(connection, adbc, "flow", now=self.streaming.clock.now())
        [(remade,)] = self.streaming.rows("SELECT count(*) FROM signals.remade_decisions")
        return len(made) + int(remade)


@pytest.fixture
def room(streaming: Streaming, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    """A wallet that hears trades, and one that does not."""
    monkeypatch.setattr(fast_clock, "SPEED", SPEED)
    file, opened_at = tmp_path / "Wallets.json", streaming.clock.now()
    entry = ENTRY | {"opened_at": opened_at.isoformat()}
    others = {"name": "bars", "strategy": "sma_cross", "parameters": {}}
    file.write_text(json.dumps({"wallets": [entry, entry | others]}))
    monkeypatch.setenv("STRADES_WALLETS", str(file))
    settings.cache_clear()
    [template] = stream_hearing_wallets()
    with connect(streaming.url) as connection:
        open_wallet(connection, template, now=opened_at)
    return Room(streaming)


def test_a_connection_that_is_refused_is_said_and_ends_no_stream(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second connection of the desk, ADBC's, is refused."""
    file = tmp_path / "Wallets.json"
    file.write_text(json.dumps({"wallets": [ENTRY | {"opened_at": "2026-11-30T00:00:00Z"}]}))
    monkeypatch.setenv("STRADES_WALLETS", str(file))
    settings.cache_clear()
    said: list[str] = []
    desk = StreamDesk(database_url, clock=lambda: datetime.now(UTC), say=said.append)
    with monkeypatch.context() as away:
        away.setattr(stream_desk, "adbc_connect", lambda url: adbc_connect(url.replace("/test_", "/gone_")))
        for _ in range(2):
            desk.decide()
    [line] = said
    assert line.startswith("decisions: ")
    assert 'database "gone_' in line
    desk.decide()
    assert said == [line]


def targets_of(trades: Iterable[tuple[str, datetime, float, str]]) -> list[tuple[float, datetime]]:
    """The targets that change and when: `SIZE` where buyers took more, 0 where sellers did, by weights of exp(-age)."""
    known: list[tuple[datetime, float]] = []
    wanted, changes = 0.0, []
    for _, at, size, side in trades:
        known.append((at, size if side == "buy" else -size))
        flow = sum(signed * math.exp(-(at - then).total_seconds() / WINDOW) for then, signed in known)
        target = SIZE if flow > 0 else 0.0
        if target != wanted:
            wanted = target
            changes.append((target, at))
    return changes


def test_a_wallet_decides_on_the_tapes_trades_as_they_come_and_a_fill_is_traced_to_the_frames(room: Room) -> None:
    streaming = room.streaming
    room.stream_and_trade(minutes=6)  # the bar that fills the order has closed, also on a busy machine
    heard = streaming.rows(HEARD)
    came = {number: at for number, at, _, _ in heard}
    taken = tape(PAIR, streaming.rows("SELECT min(event_time) FROM records.trades")[0][0], streaming.clock.end)
    wanted = targets_of((number, came[number], size, side) for number, _, _, size, side in taken if number in came)
    assert streaming.rows(DECISIONS) == wanted
    assert len(wanted) > 0
    assert room.decide_anew() == 0
    number, happened, price, *_ = taken[-1]
    assert streaming.rows(
        "SELECT trade_id, event_time, price FROM records.last_trades INNER JOIN records.listings USING (listing_id)"
        " WHERE symbol = %s",
        PAIR,
    ) == [(number, happened, price)]

    assert streaming.rows("SELECT count(*) FROM signals.decisions WHERE trigger_kind <> 'trade'") == [(0,)]
    room.trade()
    assert streaming.rows(ORDERS) == []
    # On a busy machine decisions come late, and each fill waits for the open of a bar.
    while not streaming.rows("SELECT 1 FROM trading.fills"):
        room.stream_and_trade(minutes=1)
    [(fill, first)] = streaming.rows("SELECT fill_id, min(filled_at) OVER () FROM trading.fills ORDER BY 2 LIMIT 1")
    lineage = trace_one(fill, streaming.url)
    assert lineage["faults"] == []
    [decision] = [lineage["decision"]]
    assert (decision["trigger_kind"], decision["decided_at"] < first) == ("trade", True)
    trades = {row["trade_id"] for row in lineage["trades"]}
    window = decision["decided_at"] - timedelta(seconds=5 * WINDOW), decision["decided_at"]
    assert trades == {number for number, at, _, _ in streaming.rows(HEARD) if window[0] <= at <= window[1]}
    frames = streaming.rows(
        "SELECT convert_from(frame, 'UTF8') FROM rawsources.frames WHERE fetch_id = ANY(%s)",
        [each["fetch_id"] for each in lineage["fetches"] if each["connection"] is not None],
    )
    sent = {str(json.loads(frame)["result"].get("id")) for (frame,) in frames}
    assert trades <= sent
    check_replay(streaming, len(streaming.rows(DECISIONS)))


class RisingBid(Strategy):
    """Holds `SIZE` while the bid is above that of the quote before."""

    name: ClassVar[str] = "rising_bid"

    def on_start(self, account: Account) -> None:
        self.bid = math.inf

    def on_quote(self, quote: Quote, account: Account) -> None:
        account.target[quote.i] = SIZE if quote.bid > self.bid else 0.0
        self.bid = quote.bid


def test_a_wallet_decides_on_the_tapes_quotes_as_they_come_and_a_decision_is_traced_to_its_frame(
    streaming: Streaming, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(strategies(), RisingBid.name, RisingBid)
    monkeypatch.setattr(fast_clock, "SPEED", SPEED)
    streaming.use("gateio_quotes", PAIR)
    file, opened_at = tmp_path / "Wallets.json", streaming.clock.now()
    file.write_text(json.dumps({"wallets": [RISING_ENTRY | {"opened_at": opened_at.isoformat()}]}))
    monkeypatch.setenv("STRADES_WALLETS", str(file))
    settings.cache_clear()
    [template] = stream_hearing_wallets()
    with connect(streaming.url) as connection:
        open_wallet(connection, template, now=opened_at)
    desk = StreamDesk(streaming.url, clock=streaming.clock.now, say=streaming.said.append)
    record_all(["x"], streaming.sources, streaming.clock, streaming.url, streaming.said.append, desk, minutes=2)

    came: dict[str, datetime] = dict(streaming.rows("SELECT quote_id, recorded_at FROM records.quotes"))
    bids = [(number, bid) for number, (_, bid, *_) in quote_tape(streaming).items() if number in came]
    wanted, held = [], 0.0
    for (_, before), (number, bid) in pairwise(bids):
        target = SIZE if bid > before else 0.0
        if target != held:
            wanted.append((target, came[number]))
            held = target
    decided = streaming.rows(
        "SELECT target, decided_at, decision_id FROM signals.decisions ORDER BY decided_at, ordinal"
    )
    assert [(target, at) for target, at, _ in decided] == wanted
    assert len(wanted) > 2
    assert desk.sessions.resumed > 2

    for _, at, decision_id in decided[:2]:
        lineage = trace_one(decision_id, streaming.url)
        assert lineage["faults"] == []
        read = {row["quote_id"] for row in lineage["quotes"]}
        assert read == {number for number, heard_at in came.items() if heard_at == at}
        [fetch] = lineage["fetches"]
        frames = streaming.rows(
            "SELECT convert_from(frame, 'UTF8') FROM rawsources.frames WHERE connection = %s AND sequence BETWEEN %s"
            " AND %s",
            *(fetch[name] for name in ("connection", "first_frame", "last_frame")),
        )
        assert read == {str(json.loads(frame)["result"]["u"]) for (frame,) in frames}
    [(connection_id,)] = streaming.rows("SELECT DISTINCT connection FROM rawsources.frames")
    again = replay_connection(connection_id, streaming.url)
    assert (again.differences, again.decisions, again.recorded) == ([], len(decided), again.replayed)


KILLED_AT = ("streams.frames_committed", "signals.decisions_written", "signals.decisions_committed")


def test_killed_between_frame_decision_and_order_it_decides_and_orders_once(room: Room) -> None:
    streaming, clock = room.streaming, room.streaming.clock
    room.stream(minutes=1)
    for point in KILLED_AT:
        clock.restart(3)
        words = (streaming.url, clock.start.isoformat(), clock.end.isoformat(), str(clock.began))
        assert run_child("tests.brokerage.stream_desk_child", *words, STRADES_CRASH_AT=point) == -signal.SIGKILL
    room.stream(minutes=4)  # also where a busy machine heard nothing until here
    heard = streaming.rows(HEARD)
    wanted = targets_of(heard)
    assert streaming.rows(DECISIONS) == wanted
    assert len(wanted) > 0
    for _ in range(2):
        room.trade()
        assert streaming.rows(ORDERS) == []
    assert streaming.rows(
        "SELECT count(*) - count(DISTINCT (listing_id, decided_at, ordinal)) FROM signals.decisions"
    ) == [(0,)]
    assert room.decide_anew() == 0


def check_replay(streaming: Streaming, decisions: int) -> None:
    """The connection decides the same again; a frame that was changed, and a decision that was, are told of."""
    kept = streaming.rows(
        "SELECT connection, count(fetch_id) FROM rawsources.frames WHERE source = 'gateio_trades' GROUP BY 1"
        " ORDER BY min(received_at)"
    )
    [(connection, frames)] = kept
    first = replay_connection(connection, streaming.url)
    assert (first.differences, first.decisions, first.recorded) == ([], decisions, first.replayed)
    assert first.rows == frames  # a trade each
    with connect(streaming.url) as database:
        database.execute("""UPDATE signals.decisions SET inputs = inputs || '{"numbers": {}}'""")
        [(decision,)] = database.execute("SELECT decision_id FROM signals.decisions ORDER BY decided_at LIMIT 1")
        [(fetch,)] = database.execute(
            "SELECT fetch_id FROM records.trades JOIN rawsources.frames USING (fetch_id) ORDER BY event_time LIMIT 1"
        ).fetchall()
        database.execute("UPDATE records.trades SET price = price + 1 WHERE fetch_id = %s", [fetch])
        database.commit()
        other = replay_connection(first.connection, streaming.url)
        assert (other.replayed, other.recorded != first.recorded) == (first.replayed, True)
        assert any(line.startswith(f"decision {decision}: recorded") for line in other.differences)
        assert any(str(fetch) in line or "price" in line for line in other.differences)
