"""What a source corrects is one revision, and what was worked out before it can be worked out again."""

from datetime import timedelta

import psycopg
import pytest

from strades_pipelines.ingestion.loader import load_stored
from tests.ingestion.conftest import NOW, gate_body, gate_row, store_body
from tests.research.bars import Run

CLOSES = [99.0 + 0.25 * (k % 12 if k % 12 < 6 else 12 - k % 12) for k in range(80)]
SECOND, THIRD = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
ASKED = ("--instrument", "BTC_USDT", "--interval", "1m", "--param", "fast=2", "--param", "slow=4", "--no-ledger")


def test_8_one_changed_value_is_one_revision_and_a_backtest_pinned_before_it_stays_the_same_to_the_byte(
    strades: Run, world: str
) -> None:
    store_body(world, gate_body(*(gate_row(k, close=close) for k, close in enumerate(CLOSES))), fetched_at=SECOND)
    load_stored(url=world, now=SECOND)
    pinned = ("backtest", "sma_cross", *ASKED, "--as-of", SECOND.isoformat(), "--json")
    before, newest = strades(*pinned), strades("backtest", "sma_cross", *ASKED, "--json")
    assert (before.code, len(before.document["fills"]) > 5) == (0, True)
    assert newest.out == before.out
    with psycopg.connect(world) as connection:
        query = "SELECT count(*) FROM records.candle_revisions"
        [(revisions,)] = connection.execute(query)  # the fixture's two bars had other closes
        store_body(world, gate_body(gate_row(40, close=101.5)), request_key="again", fetched_at=THIRD)
        load_stored(url=world, now=THIRD)
        assert connection.execute(query).fetchall() == [(revisions + 1,)]
    assert strades(*pinned).out == before.out
    assert strades("backtest", "sma_cross", *ASKED, "--json").out != before.out
    assert strades("backtest", "sma_cross", *ASKED, "--as-of", THIRD.isoformat(), "--json").out != before.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--bars", "x.csv", "--as-of", "2026-11-01"), "--as-of: expected --instrument with it"),
        ((*ASKED, "--as-of", "2026-10-01"), "expected bars of 1m in the range, found none"),
        ((*ASKED, "--as-of", "yesterday"), "found 'yesterday'"),
    ],
)
def test_a_time_that_cannot_be_used_is_one_line(strades: Run, words: tuple[str, ...], told: str) -> None:
    answer = strades("backtest", "sma_cross", *words)
    assert (answer.code, told in answer.err) == (2, True)
