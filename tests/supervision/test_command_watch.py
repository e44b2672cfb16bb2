"""`strades up` carries out what a page asks for within seconds, without Dagster."""

import os

import pytest

from strades_pipelines.brokerage.halts import current_state
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.settings import settings
from strades_pipelines.supervision import command_watch
from tests.brokerage.conftest import Connection, market, rows, wallet
from tests.brokerage.test_halts import WALLET
from tests.brokerage.test_pending_commands import OUTCOMES, ask
from tests.waiting import wait_until

__all__ = ["market", "wallet"]


def test_a_halt_is_carried_out_within_seconds_also_after_the_database_was_away(
    market: Connection, wallet: Wallet, own_world: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = os.environ["DATABASE_URL"]
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none?connect_timeout=1")
    settings.cache_clear()
    monkeypatch.setattr(command_watch, "SECONDS", 0.05)
    monkeypatch.setattr(command_watch, "SECONDS_AWAY", 0.05)
    said: list[str] = []
    ask(market, WALLET)

    def say(_part: str, text: str) -> None:
        said.append(text)

    watch = command_watch.CommandWatch(say, say)
    wait_until(lambda: said)
    monkeypatch.setenv("DATABASE_URL", there)
    settings.cache_clear()
    wait_until(lambda: len(said) >= 2)
    watch.close()
    assert said[0].startswith("no command is carried out that pages ask for: ")
    assert said[1:] == ["command 1 halted"]
    assert rows(market, OUTCOMES) == [("halted",)]
    assert current_state(market, "paper") == "halted"
