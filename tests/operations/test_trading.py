"""The commands with which a person trades, as a person and a program call them. No Dagster runs."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from strades_pipelines.brokerage.halts import SEND_SECONDS
from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.sleeves import SEVERAL
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.brokerage.wallets import SleeveTemplate, WalletTemplate
from strades_pipelines.database.connection import connect
from strades_pipelines.settings import PROJECT, settings
from tests.research.bars import Run

MINUTE = timedelta(minutes=1)
START = datetime(2024, 1, 2, tzinfo=UTC)
BTC = "gateio:BTC_USDT"


class World:
    """A wallet of 10,000 in a world whose clock is held, and minute bars that come as the clock goes on."""

    def __init__(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.url, self._monkeypatch = url, monkeypatch
        self.bars = 0
        self.now = START
        self.template = WalletTemplate(
            "mine",
            "paper",
            "sma_cross",
            {},
            (BTC,),
            "1m",
            "USD",
            Decimal(10_000),
            Decimal("0.001"),
            15 * MINUTE,
            START,
        )
        with connect(url) as connection:
            open_wallet(connection, self.template, now=START)
        self.go_on(2)

    def go_on(self, minutes: int, price: float = 100.0) -> None:
        """Let so many bars close."""
        with psycopg.connect(self.url) as connection:
            for _ in range(minutes):
                self.bars += 1
                self.now = START + self.bars * MINUTE
                connection.execute(
                    """
                    INSERT INTO records.candles
                    SELECT listing_id, '1m', %s, %s, %s, %s, %s, %s, 1, 1, 1, %s, 'stated', 1, %s
                    FROM records.listings WHERE symbol = 'BTC_USDT'
                    """,
                    [self.now - MINUTE, self.now, *[price] * 4, self.now, self.now],
                )
        self._monkeypatch.setenv("STRADES_SANDBOX_NOW", (self.now + MINUTE / 4).isoformat())
        settings.cache_clear()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture
def mine(world: str, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(world, monkeypatch)


def wallet(strades: Run, name: str = "mine") -> dict[str, Any]:
    """The wallet, as `strades wallets` shows it."""
    found: dict[str, Any]
    [found] = [one for one in strades("wallets", "--json").document["wallets"] if one["wallet"] == name]
    return found


def test_an_order_by_hand_is_filled_and_attributed_to_the_person(strades: Run, mine: World) -> None:
    done = strades("order", "mine", "BTC_USDT", "2", "--reason", "I like it", "--json")
    assert (done.code, done.document["state"]) == (0, "accepted")
    mine.go_on(2)
    with connect(mine.url) as connection:
        assert strades("cancel", done.document["intent_id"]).code == 1  # the pass finds that it is filled
        assert verify_ledger(connection, "mine") == []
    decided = "SELECT strategy, trigger_kind, reason, previous_target, target FROM signals.decisions"
    assert mine.rows(decided) == [("person", "person", "I like it", 0, 2)]
    held = wallet(strades)
    assert (held["positions"][0]["quantity"], held["equity"], held["orders"]) == ("2", "9999.8", [])
    [order, cancel] = mine.rows("SELECT kind, requested_by, reason, outcome FROM trading.commands ORDER BY command_id")
    assert (order[0], order[2], order[3].split()[1]) == ("order", "I like it", "accepted")
    assert (cancel[0], cancel[3]) == ("cancel", "filled")


def test_an_order_may_be_given_for_one_of_several_strategies(strades: Run, mine: World) -> None:
    sleeves = [SleeveTemplate(name, "sma_cross", {}, (BTC,), Decimal(50)) for name in ("fast", "slow")]
    template = replace(mine.template, name="shared", strategy=SEVERAL, sleeves=tuple(sleeves))
    with connect(mine.url) as connection:
        open_wallet(connection, template, now=START)
    assert strades("order", "shared", BTC, "2", "--strategy", "fast").code == 0
    assert strades("order", "shared", BTC, "1", "--strategy", "nobody").code == 2
    mine.go_on(2)
    sold = strades("order", "shared", BTC, "-1")  # of nobody's there is none
    assert (sold.code, "position_below_zero" in sold.err) == (1, True)
    assert strades("order", "shared", BTC, "-1", "--strategy", "fast").code == 0
    mine.go_on(2)
    newest = "SELECT intent_id FROM trading.intents ORDER BY recorded_at DESC LIMIT 1"
    strades("cancel", mine.rows(newest)[0][0])  # a pass
    found = {one["name"]: one["positions"] for one in wallet(strades, "shared")["strategies"]}
    assert [held["quantity"] for held in found["fast"]] == ["1"]
    assert (found["slow"], found["unattributed"]) == ([], [])
    halted = strades("halt", "--strategy", "fast", "--flatten", "--json")
    assert halted.code == 0
    assert [one["state"] for one in wallet(strades, "shared")["strategies"]] == ["halted", "active", None]
    mine.go_on(2)
    assert strades("order", "shared", BTC, "1").code == 0
    mine.go_on(2)
    closed = strades("halt", "--strategy", SEVERAL, "--flatten", "--json")  # of all its strategies, and nobody's
    assert [one["state"] for one in closed.document["done"]["shared"]["exits"]] == ["accepted"]


def test_a_sale_with_terms_is_kept_as_typed(strades: Run, mine: World) -> None:
    strades("order", "mine", BTC, "2")
    mine.go_on(2)
    sold = strades("order", "mine", BTC, "-1", "--limit", "110.5", "--time-in-force", "day", "--json")
    assert sold.document["state"] == "accepted"
    [terms] = mine.rows(
        "SELECT side, quantity, order_type, limit_price, time_in_force FROM trading.intents WHERE side = 'sell'"
    )
    assert terms == ("sell", 1, "limit", Decimal("110.5"), "day")


def test_an_order_is_put_in_the_place_of_another(strades: Run, mine: World) -> None:
    old = strades("order", "mine", BTC, "2", "--limit", "90", "--json").document["intent_id"]
    mine.go_on(1)
    done = strades("order", "mine", BTC, "2", "--limit", "95", "--replace", old, "--json")
    assert (done.code, done.document["state"]) == (0, "accepted")
    [left] = wallet(strades)["orders"]
    assert left["intent_id"] == done.document["intent_id"]
    again = strades("order", "mine", BTC, "2", "--limit", "96", "--replace", old)
    assert (again.code, "nothing_to_replace" in again.err) == (1, True)
    assert mine.rows("SELECT state FROM trading.orders ORDER BY updated_at, state") == [("accepted",), ("replaced",)]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("NaN", "--replace", "NOBODYS"), "nothing_to_replace"),
        (("0",), "lot_precision"),
        (("0.5",), "lot_precision"),
        (("NaN",), "not_finite"),
        (("-Infinity",), "not_finite"),
        (("-1",), "position_below_zero"),
        (("1", "--reduce-only"), "reduce_only"),
        (("101",), "cash_below_zero"),
        (("1" + "0" * 25,), "cash_below_zero"),  # its fee has more digits than a decimal of Python's has by default
        (("1", "--limit", "1e26"), "cash_below_zero"),
        (("1", "--limit", "0"), "not_positive"),
        (("1", "--limit", "NaN"), "not_positive"),
        (("1", "--stop", "99.999"), "tick_precision"),
        (("1", "--auction", "open", "--stop", "99"), "contradictory"),
    ],
)
def test_20_a_bad_order_is_refused_with_a_code_and_recorded(
    words: tuple[str, ...], code: str, strades: Run, mine: World
) -> None:
    refused = strades("order", "mine", BTC, *words, "--json")
    assert (refused.code, refused.document["state"]) == (1, "refused")
    assert refused.err.startswith(f"strades: order refused: {code}: ")
    assert mine.rows("SELECT code FROM trading.refusals") == [(code,)]
    assert mine.rows("SELECT count(*) FROM trading.paper_venue_orders") == [(0,)]
    assert mine.rows("SELECT split_part(outcome, ' ', 2) FROM trading.commands") == [("refused",)]


@pytest.mark.parametrize(
    ("words", "recorded"),
    [
        (("order", "nobody", BTC, "1"), True),
        (("order", "mine", "DOGE", "1"), True),
        (("order", "mine", BTC, "much"), False),
        (("order", "mine", BTC, "1e400"), False),
        (("order", "mine", BTC, "1", "--time-in-force", "soon"), False),
        (("order", "mine", BTC, "1", "--limt", "5"), False),
        (("cancel", "NOSUCHORDER"), False),
        (("halt", "--wallet", "nobody"), False),
        (("halt", "--strategy", "nothing"), False),
        (("halt", "--wallet", "mine", "--strategy", "buy_and_hold"), False),
        (("halt", "--reducing", "--flatten"), False),
        (("resume", "--wallet", "nobody"), False),
    ],
)
def test_what_cannot_be_meant_is_one_line_and_2(
    words: tuple[str, ...], recorded: bool, strades: Run, mine: World
) -> None:
    answer = strades(*words)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1), answer
    assert mine.rows("SELECT count(*) FROM trading.commands") == [(int(recorded),)]
    assert mine.rows("SELECT count(*) FROM signals.decisions") == [(0,)]


def test_a_cancelled_order_never_fills(strades: Run, mine: World) -> None:
    order = strades("order", "mine", BTC, "1", "--limit", "90", "--json").document
    [working] = wallet(strades)["orders"]
    assert (working["intent_id"], working["trigger"], working["state"]) == (order["intent_id"], "person", "accepted")
    assert strades("cancel", order["intent_id"], "--json").document["state"] == "cancelled"
    mine.go_on(2, price=80.0)
    assert wallet(strades)["orders"] == wallet(strades)["positions"] == []
    again = strades("cancel", order["intent_id"])
    assert (again.code, "there is nothing to cancel" in again.err) == (1, True)


def test_an_order_of_a_replay_is_not_cancelled(strades: Run, mine: World) -> None:
    """What a replay did is over; nothing is asked of it."""
    intent = strades("order", "mine", BTC, "1", "--limit", "90", "--json").document["intent_id"]
    with psycopg.connect(mine.url) as connection:
        connection.execute("UPDATE trading.wallets SET mode = 'replay'")
    done = strades("cancel", intent)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "expected the mode paper or live, was replay" in done.err
    assert mine.rows("SELECT count(*) FROM trading.cancel_requests") == [(0,)]


def test_a_halted_wallet_takes_no_order_until_it_is_resumed(strades: Run, mine: World) -> None:
    halted = strades("halt", "--reason", "news", "--json")
    assert (halted.code, halted.document["wallets"][0]["state"]) == (0, "halted")
    refused = strades("order", "mine", BTC, "1")
    assert (refused.code, "wallet_halted" in refused.err) == (1, True)
    assert strades("resume", "--wallet", "mine").code == 1  # the halt is of all wallets
    assert (wallet(strades)["state"], wallet(strades)["reason"]) == ("halted", "all wallets: news")
    assert strades("resume").code == 0
    assert strades("order", "mine", BTC, "1", "--json").document["state"] == "accepted"


def test_a_reducing_wallet_takes_exits_only(strades: Run, mine: World) -> None:
    strades("order", "mine", BTC, "2")
    mine.go_on(2)
    assert strades("halt", "--wallet", "mine", "--reducing").code == 0
    assert "wallet_reducing" in strades("order", "mine", BTC, "1").err
    assert strades("order", "mine", BTC, "-1").code == 0


def test_flatten_cancels_and_ends_flat_with_the_right_cash(strades: Run, mine: World) -> None:
    strades("order", "mine", BTC, "3")
    mine.go_on(2)
    strades("order", "mine", BTC, "2", "--limit", "90")
    flat = strades("halt", "--wallet", "mine", "--flatten", "--json")
    assert flat.code == 0, flat
    assert [exit_["state"] for exit_ in flat.document["done"]["mine"]["exits"]] == ["accepted"]
    # A second time sends nothing twice.
    again = strades("halt", "--wallet", "mine", "--flatten", "--json").document["done"]["mine"]
    assert again == {"cancelled": [], "not_cancelled": [], "exits": []}
    mine.go_on(2, price=110.0)
    settled = strades("halt", "--wallet", "mine", "--cancel-open", "--json").document["wallets"][0]
    # 3 at 100 and at 110, with fees of 0.3 and 0.33.
    assert (settled["positions"], settled["orders"], settled["cash"]) == ([], [], "10029.37")
    assert mine.rows("SELECT state, count(*) FROM trading.orders GROUP BY state ORDER BY state") == [
        ("cancelled", 1),
        ("filled", 2),
    ]
    with connect(mine.url) as connection:
        assert verify_ledger(connection, "mine") == []
    assert mine.rows("SELECT kind FROM trading.commands ORDER BY command_id")[-4:] == [
        ("halt",),
        ("flatten",),
        ("halt",),
        ("halt",),
    ]


def test_an_exit_that_is_open_is_cancelled_by_cancel_open(strades: Run, mine: World) -> None:
    strades("order", "mine", BTC, "3")
    mine.go_on(2)
    strades("halt", "--flatten")
    assert [order["side"] for order in wallet(strades)["orders"]] == ["sell"]
    assert strades("halt", "--cancel-open").code == 0
    mine.go_on(2)
    assert strades("halt", "--cancel-open", "--json").document["wallets"][0]["positions"][0]["quantity"] == "3"


@pytest.mark.parametrize("point", ["trading.cancels_requested", "trading.exits_decided", "trading.order_sent"])
def test_a_flatten_that_was_killed_is_finished_by_the_next(point: str, strades: Run, mine: World) -> None:
    strades("order", "mine", BTC, "3")
    mine.go_on(2)
    strades("order", "mine", BTC, "2", "--limit", "90")
    words = [sys.executable, "-m", "tests.operations.strades_child", mine.url, "halt", "--flatten"]
    killed = subprocess.run(
        words, cwd=PROJECT, env=os.environ | {"STRADES_CRASH_AT": point}, start_new_session=True, check=False
    )
    assert killed.returncode == -9
    assert wallet(strades)["state"] == "halted"
    assert strades("halt", "--flatten").code == 0
    mine.go_on(2)
    strades("halt", "--flatten")
    assert wallet(strades)["positions"] == []
    assert mine.rows("SELECT count(*), sum(quantity) FROM trading.paper_venue_orders WHERE side = 'sell'") == [(1, 3)]


def test_to_halt_takes_no_longer_than_a_moment_and_prints_a_table(strades: Run, mine: World) -> None:
    begun = time.monotonic()
    said = strades("halt").out
    assert time.monotonic() - begun < SEND_SECONDS  # it waits for no send where there is none
    assert "halted" in said
    assert "mine" in said
    assert json.loads(strades("wallets", "--json").out)["wallets"][0]["feed"] == "ok"


def test_an_untouched_ledger_verifies_and_an_edited_line_is_a_line_of_error(strades: Run, mine: World) -> None:
    strades("order", "mine", BTC, "3")
    mine.go_on(2)
    strades("halt", "--cancel-open")
    whole = strades("ledger", "verify", "--json")
    assert (whole.code, whole.document) == (0, {"wallets": [{"wallet": "mine", "lines": 3, "faults": []}]})
    with psycopg.connect(mine.url) as connection:
        connection.execute("ALTER TABLE trading.ledger DISABLE TRIGGER append_only")
        connection.execute("UPDATE trading.ledger SET occurred_at = occurred_at + interval '1 s' WHERE kind = 'fee'")
    broken = strades("ledger", "verify", "--wallet", "mine")
    assert (broken.code, broken.err) == (1, "strades: wallet mine: line 2: its hash does not cover what it says\n")
    assert strades("ledger", "verify", "--wallet", "yours").code == 2
