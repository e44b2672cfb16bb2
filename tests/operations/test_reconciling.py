"""`strades reconcile`, `adopt` and `ignore` of a paper wallet, with text and with JSON output."""

from decimal import Decimal
from typing import Any

import psycopg
import pytest

from strades_pipelines.brokerage.wallet_health import wallet_problems
from tests.operations.test_trading import World, mine, wallet
from tests.research.bars import Run

__all__ = ["mine"]


@pytest.fixture
def bought(strades: Run, mine: World) -> World:
    """A wallet that bought 2 at its venue and has booked them."""
    assert strades("order", "mine", "BTC_USDT", "2").code == 0
    mine.go_on(2)
    return mine


def tamper(mine: World, units: int) -> None:
    """Put units into the account at the venue that no order of ours bought."""
    with psycopg.connect(mine.url) as connection:
        connection.execute("UPDATE trading.paper_venue_positions SET quantity = quantity + %s", [units])


def reconcile(strades: Run, *words: str) -> tuple[int, list[dict[str, Any]]]:
    answer = strades("reconcile", *words, "--json")
    found: list[dict[str, Any]] = answer.document["findings"]
    return answer.code, found


def test_a_fill_that_the_books_lack_is_booked_and_leaves_no_finding(strades: Run, bought: World) -> None:
    answer = strades("reconcile", "--json")
    assert (answer.code, answer.document["findings"]) == (0, [])
    [account] = answer.document["accounts"]
    assert (account["account"], account["wallets"], account["fills"]) == ("paper/mine", ["mine"], 1)
    assert account["booked"] == 1
    assert wallet(strades)["positions"][0]["quantity"] == "2"


def test_a_finding_is_shown_everywhere_and_holds_the_wallet_until_it_is_settled(strades: Run, bought: World) -> None:
    tamper(bought, 3)
    code, [found] = reconcile(strades, "--wallet", "mine")
    assert code == 1
    assert (found["code"], found["detail"]) == ("holding_differs", "BTC_USDT: expected 2, the account holds 5")
    printed = strades("reconcile")
    assert found["finding_id"] in printed.out
    assert "strades adopt" in printed.out
    assert strades("wallets", "--json").document["findings"][0]["finding_id"] == found["finding_id"]
    assert strades("context", "--json").document["state"]["findings"][0]["detail"] == found["detail"]
    assert wallet(strades)["state"] == "halted"
    with psycopg.connect(bought.url) as connection:
        problem = f"paper/mine: finding {found['finding_id']} holding_differs: {found['detail']}; {found['advice']}"
        assert problem in wallet_problems(connection, now=bought.now)  # what `strades doctor` says
    refused = strades("resume", "--wallet", "mine")
    assert refused.code == 1
    assert f"finding {found['finding_id']} stands: {found['detail']}" in refused.err
    assert wallet(strades)["state"] == "halted"
    assert strades("ignore", found["finding_id"].lower(), "--reason", "a present").code == 0
    assert strades("resume", "--wallet", "mine").code == 0
    assert reconcile(strades) == (0, [])
    assert wallet(strades)["state"] == "active"
    assert bought.rows("SELECT kind, reason, outcome FROM trading.commands WHERE kind = 'ignore'") == [
        ("ignore", "a present", "ignored holding_differs BTC_USDT")
    ]


def test_an_adopted_holding_is_booked_at_the_given_price_or_the_last_close(strades: Run, bought: World) -> None:
    for words, price in ((("--price", "40"), "40"), ((), "100")):
        tamper(bought, 1)
        [found] = reconcile(strades)[1]
        done = strades("adopt", found["finding_id"], "--wallet", "mine", "--reason", "mine", *words, "--json")
        assert (done.code, done.document["adopted"][0]["finding_id"]) == (0, found["finding_id"])
        [(booked_price,)] = bought.rows("SELECT price FROM trading.fills ORDER BY recorded_at DESC, price DESC LIMIT 1")
        assert Decimal(price) in (booked_price, Decimal(40))
    assert sorted(bought.rows("SELECT price, quantity FROM trading.fills")) == [(40, 1), (100, 1), (100, 2)]
    assert strades("ledger", "verify").code == 0
    assert reconcile(strades) == (0, [])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("adopt", "AAAAAAAA", "--wallet", "mine", "--reason", "x"), "finding: expected an id that"),
        (("adopt", "%", "--wallet", "nobody", "--reason", "x"), "--wallet: expected that of a wallet that trades"),
        (("adopt", "%", "--wallet", "mine", "--reason", "x", "--price", "NaN"), "--price: expected a number above 0"),
        (("adopt", "%", "--wallet", "mine", "--reason", "x", "--price", "-1"), "--price: expected a number above 0"),
        (("adopt", "%", "--wallet", "mine", "--reason", "x", "--price", "1e7"), "it cost 30000000"),
        (("ignore", "'; DROP", "--reason", "x"), "finding: expected an id that"),
        (("reconcile", "--wallet", "nobody"), "--wallet: expected that of a wallet that trades"),
    ],
)
def test_invalid_arguments_give_one_error_line_and_change_nothing(
    words: tuple[str, ...], message: str, strades: Run, bought: World
) -> None:
    tamper(bought, 3)
    [found] = reconcile(strades)[1]
    answer = strades(*(found["finding_id"] if word == "%" else word for word in words))
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert len(answer.err.strip().splitlines()) == 1
    assert bought.rows("SELECT state FROM trading.findings") == [("open",)]
    assert bought.rows("SELECT count(*) FROM trading.fills") == [(1,)]
