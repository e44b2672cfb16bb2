import hashlib
from decimal import Decimal

import pytest

from strades_pipelines.market.ledger import chain, deposit, entries, plain
from tests.strategy.builders import START, fill_event


@pytest.mark.parametrize(
    ("number", "text"),
    [("1.50", "1.5"), ("100", "100"), ("1E+3", "1000"), ("-0.00", "0"), ("0.00000001", "0.00000001")],
)
def test_equal_numbers_have_one_text(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text


def test_a_line_covers_its_columns_and_the_hash_before_it() -> None:
    first, paid, fee = chain("w", [deposit("w", Decimal(100), "USD", START), *entries(fill_event(fee="0.20"))])
    text = "\x1f".join(["0" * 64, "w", "0", "deposit", "w", "2024-01-02T00:00:00Z", "USD", "100", "100"])
    assert first.hash == hashlib.sha256(text.encode()).hexdigest()
    text = "\x1f".join([first.hash, "w", "1", "fill", "F", "2024-01-02T00:00:00Z", "USDT", "-10", "90"])
    assert paid.hash == hashlib.sha256(text.encode()).hexdigest()
    assert (fee.sequence, fee.entry.amount, fee.balance) == (2, Decimal("-0.2"), Decimal("89.8"))
    assert fee.previous_hash == paid.hash


def test_a_chain_goes_on_where_it_ended() -> None:
    added = [deposit("w", Decimal(100), "USD", START), *entries(fill_event())]
    whole = list(chain("w", added))
    assert [*whole[:1], *chain("w", added[1:], whole[0])] == whole
