"""Clean bars note their changes for the checkpoints of wallets, however dbt builds their table."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.dbt_project.building import BUILD, rows, run_dbt
from tests.dbt_project.seeding import bars, listing, sessions

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

pytestmark = pytest.mark.slow
BARS = (*BUILD, "--select", "+daily_bars", "--exclude", "test_type:data")
NOTED = "SELECT known_from, known_to FROM trading.input_changes WHERE subject = 'bars:1:1d' AND changed_at > %s"
TRIGGER = "SELECT oid FROM pg_trigger WHERE tgrelid = 'cleaned.daily_bars'::regclass AND tgname = 'inputs_insert'"


def test_a_new_bar_is_noted_with_its_knowledge_time_and_a_rebuilt_table_has_its_triggers_again(
    database_url: str, adbc: "Connection"
) -> None:
    listing(adbc, 1, symbol="A", calendar="XNYS")
    spans = [span for _, span in sessions(adbc, "XNYS", 2024).items()]
    bars(adbc, 1, "1d", spans[:3])
    run_dbt(database_url, BARS)
    [(trigger,)] = rows(database_url, TRIGGER)
    [(begun,)] = rows(database_url, "SELECT clock_timestamp()")
    bars(adbc, 1, "1d", spans[3:4])
    run_dbt(database_url, BARS)
    assert isinstance(begun, datetime)
    noted = rows(database_url, NOTED.replace("%s", f"'{begun.astimezone(UTC).isoformat()}'"))
    [(known,)] = rows(database_url, "SELECT max(knowledge_time) FROM cleaned.daily_bars")
    # The candle itself notes nothing for this interval of the clean table; dbt's statement does.
    assert (known, known) in noted
    assert rows(database_url, TRIGGER) == [(trigger,)]
    run_dbt(database_url, (*BARS, "--full-refresh"))
    [(after,)] = rows(database_url, TRIGGER)
    assert after != trigger
