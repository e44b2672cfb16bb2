import hashlib
from dataclasses import replace
from decimal import Decimal

import pytest

from strades_pipelines.market.ledger_chain import chain, deposit, entries, plain
from tests.strategy.builders import START, fill_event


@pytest.mark.parametrize(
    ("number", "text"),
    [("1.50", "1.5"), ("100", "100"), ("1E+3", "1000"), ("-0.00", "0"), ("0.00000001", "0.00000001")],
)
def test_equal_numbers_have_one_text(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text


def test_a_line_covers_its_columns_and_the_hash_before_it() -> None:
    first, paid, fee = chain("w", [deposit("w", Decimal(100), "USDT", START), *entries(fill_event(fee="0.20"))])
    text = "\x1f".join(["0" * 64, "w", "0", "deposit", "w", "2024-01-02T00:00:00Z", "USDT", "100", "100"])
    assert first.hash == hashlib.sha256(text.encode()).hexdigest()
    text = "\x1f".join([first.hash, "w", "1", "fill", "F", "2024-01-02T00:00:00Z", "USDT", "-10", "90"])
    assert paid.hash == hashlib.sha256(text.encode()).hexdigest()
    assert (fee.sequence, fee.entry.amount, fee.balance) == (2, Decimal("-0.2"), Decimal("89.8"))
    assert fee.previous_hash == paid.hash


def test_a_chain_goes_on_where_it_ended() -> None:
    added = [deposit("w", Decimal(100), "USDT", START), *entries(fill_event())]
    whole = list(chain("w", added))
    assert [*whole[:1], *chain("w", added[1:], whole[0], {"USDT": Decimal(100)})] == whole


def test_each_currency_has_its_own_balance_in_the_one_chain_and_units_have_none_of_it() -> None:
    in_gt = replace(fill_event(fee="0.5"), fee_currency="GT")
    in_units = replace(fill_event(fee="0.001"), fee_currency="BTC", fee_in_units=True)
    added = [deposit("w", Decimal(100), "USDT", START), *entries(in_gt), *entries(in_units)]
    lines = list(chain("w", added))
    told = [(line.entry.kind, line.entry.currency, line.entry.amount, line.balance) for line in lines]
    assert told == [
        ("deposit", "USDT", 100, 100),
        ("fill", "USDT", -10, 90),
        ("fee", "GT", Decimal("-0.5"), Decimal("-0.5")),
        ("fill", "USDT", -10, 80),
        ("unit_fee", "BTC", Decimal("-0.001"), Decimal("-0.001")),
    ]
    assert [line.previous_hash for line in lines[1:]] == [line.hash for line in lines[:-1]]


def test_amounts_keep_all_digits_of_a_coin_of_18_decimals() -> None:
    fill = fill_event("buy", "123456789.123456789012345678", "0.12345678")
    [paid, _] = entries(fill)
    # 123456789123456789012345678 * 12345678, by integers.
    assert plain(paid.amount).replace(".", "").lstrip("-") == str(123456789123456789012345678 * 12345678)
