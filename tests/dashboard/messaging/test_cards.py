"""Which texts are ids, and what a card says of a record; who may not see it is told as of an id of nothing."""

from typing import Any

import psycopg

from dashboard.community.wallets import give_wallet
from dashboard.gateway.cards import MOST_CARDS, ids_in, read_cards
from dashboard.gateway.viewer import set_viewer
from tests.dashboard.community.people import person
from tests.dashboard.conftest import ClientOf, decision_id

RUN = "0b6ab5a2-1c44-4a2e-9d65-5b8f2f1f5a11"


def test_ids_are_found_wherever_they_stand() -> None:
    one = "DG76R26GQLUGTFRSDD5QWFQKTK"
    text = f"see {one}, ({RUN}) wallet:paper. day:paper~2024-01-02 and {one} {one}X x{one} /wallet:no"
    assert ids_in(text) == [one, RUN, "wallet:paper", "day:paper~2024-01-02"]
    assert len(ids_in(" ".join(f"wallet:w{n}" for n in range(50)))) == MOST_CARDS
    assert ids_in("nothing here: 12, ABC, 2024-01-02") == []


def test_a_card_is_the_record_as_it_is_now(traded: psycopg.Connection[Any], client_of: ClientOf) -> None:
    decision = decision_id(traded)
    [(fill, price, quantity)] = traded.execute("SELECT fill_id, price, quantity FROM trading.fills").fetchall()
    traded.execute("INSERT INTO ops.runs VALUES (%s, 'hourly', 'SUCCESS', NULL, now(), now())", [RUN])
    traded.commit()
    cards = read_cards([decision, fill, RUN, "wallet:paper", "wallet:none", "day:paper~2024-13-45"])
    assert set(cards) == {decision, fill, RUN, "wallet:paper"}
    assert (cards[fill].before, cards[fill].amount, cards[fill].name) == (price, quantity, "gateio:BTC_USDT")
    assert (cards[RUN].name, cards[RUN].what) == ("hourly", "SUCCESS")
    assert cards[decision].wallet == "paper"
    client_of("admin", "eve")
    client_of("viewer", "ada")
    give_wallet(person("eve"), "paper", to=person("ada"))
    set_viewer(None)
    assert set(read_cards([decision, fill, RUN, "wallet:paper"])) == {RUN}
    set_viewer(person("ada").pk)
    assert set(read_cards([decision, fill, RUN, "wallet:paper"])) == {decision, fill, RUN, "wallet:paper"}


def test_a_day_is_what_the_session_began_and_ended_with(traded: psycopg.Connection[Any]) -> None:
    columns = traded.execute(
        "SELECT attname, atttypid::regtype::text FROM pg_attribute "
        "WHERE attrelid = 'results.wallet_sessions'::regclass AND attnum > 0 AND attnotnull AND NOT attisdropped"
    ).fetchall()
    given: dict[str, Any] = {"wallet": "paper", "session_date": "2024-01-02", "opening": 100, "closing": 110}
    plain = {
        "text": "closed",
        "numeric": 0,
        "bigint": 1,
        "integer": 1,
        "double precision": 0,
        "text[]": [],
        "jsonb": "{}",
    }
    row = {name: given.get(name, plain.get(kind, "2024-01-02T21:00Z")) for name, kind in columns} | given
    names = ", ".join(row)
    marks = ", ".join(f"%({name})s" for name in row)
    traded.execute(f"INSERT INTO results.wallet_sessions ({names}) VALUES ({marks})", row)
    traded.commit()
    card = read_cards(["day:paper~2024-01-02", "day:paper~2024-01-03"])["day:paper~2024-01-02"]
    assert [card.before, card.amount] == [100, 110]
