"""A venue that cancels by itself is told of each pass, and of an orderly end; a crash tells it nothing."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from strades_pipelines.brokerage import trade_pass
from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.brokers.venue import DeadMansSwitch
from strades_pipelines.brokerage.brokers.venue_errors import BrokerError, Unknown
from strades_pipelines.brokerage.dead_man import DeadMansSwitches
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.wallets import WalletsError
from strades_pipelines.settings import settings
from strades_pipelines.system import stopping
from tests.brokerage.conftest import PAPER
from tests.operations.conftest import strades, world
from tests.operations.test_trade_loop import ENTRY
from tests.operations.test_trading import World, mine
from tests.research.bars import Run

__all__ = ["mine", "strades", "world"]


class WithSwitch(PaperBroker):
    """The paper venue with a switch: what it was told, and what it answers."""

    told: ClassVar[list[int]]
    answer: ClassVar[BrokerError | None] = None

    def keep_alive(self, seconds: int) -> None:
        self.told.append(seconds)
        if self.answer:
            raise self.answer


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> type[WithSwitch]:
    """The venue of all wallets on paper, as the trade loop finds it."""

    class Made(WithSwitch):
        told: ClassVar[list[int]] = []

    def find(wallet: Wallet, connection: Connection) -> PaperBroker:
        return Made(connection, wallet)

    monkeypatch.setattr(trade_pass, "venue_for", find)
    return Made


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mine: World) -> Callable[..., None]:
    """Writes Wallets.json with one wallet."""
    file = tmp_path / "Wallets.json"
    monkeypatch.setenv("STRADES_WALLETS", str(file))

    def write(**changes: Any) -> None:
        file.write_text(json.dumps({"wallets": [ENTRY | changes]}))
        settings.cache_clear()

    return write


def test_each_pass_renews_it_and_an_orderly_end_disarms_it(
    strades: Run, mine: World, listed: Callable[..., None], venue: type[WithSwitch]
) -> None:
    listed(dead_man_seconds=30)
    passes = strades("trade", "--seconds", 1, "--every", "0.1", "--json").document["passes"]
    assert passes > 1
    assert venue.told == [*[30] * passes, 0]


def test_a_wallet_that_does_not_want_it_arms_nothing(
    strades: Run, mine: World, listed: Callable[..., None], venue: type[WithSwitch]
) -> None:
    listed()
    assert strades("trade", "--seconds", 0).code == 0
    assert venue.told == []


def test_without_the_switch_that_a_wallet_asks_for_it_sends_nothing(
    strades: Run, mine: World, listed: Callable[..., None], venue: type[WithSwitch]
) -> None:
    mine.go_on(1, price=101.0)
    listed(dead_man_seconds=30)
    venue.answer = Unknown("no answer")
    answer = strades("trade", "--seconds", 0, "--json")
    assert (answer.code, answer.document["errors"]) == (1, {"loop": "no answer"})
    assert mine.rows("SELECT count(*) FROM trading.paper_venue_orders") == [(0,)]
    venue.answer = None
    assert strades("trade", "--seconds", 0, "--json").document["sent"] == 1


def test_a_venue_that_has_none_is_said(strades: Run, mine: World, listed: Callable[..., None]) -> None:
    listed(dead_man_seconds=30)
    answer = strades("trade", "--seconds", 0, "--json")
    assert answer.code == 1
    assert answer.document["errors"]["loop"] == ("dead_man_seconds: paper has no dead-man's switch; leave the key out")


class Switch:
    """A switch without a venue."""

    def __init__(self) -> None:
        self.told: list[int] = []

    def keep_alive(self, seconds: int) -> None:
        """Write it down."""
        self.told.append(seconds)


def test_of_wallets_that_share_an_account_the_shortest_time_counts() -> None:
    here = [replace(PAPER, name=name, broker="gate", dead_man_seconds=s) for name, s in (("a", 60), ("b", 20))]
    apart = [replace(PAPER, name="c", dead_man_seconds=7), replace(PAPER, name="d", broker="gate")]
    switch: Any = Switch()
    assert isinstance(Switch(), DeadMansSwitch)
    switches = DeadMansSwitches()
    switches.renew(here[0], [*here, *apart], switch)
    switches.disarm()
    switches.disarm()
    assert switch.told == [20, 0]


def test_a_process_that_is_being_stopped_arms_nothing_any_more() -> None:
    switch: Any = Switch()
    wallet = replace(PAPER, dead_man_seconds=7)
    stopping._requested.set()
    try:
        DeadMansSwitches().renew(wallet, [wallet], switch)
    finally:
        stopping._requested.clear()
    assert switch.told == []


def test_a_broker_without_the_method_is_refused() -> None:
    wallet: Any = replace(PAPER, dead_man_seconds=7)
    nothing: Any = object()
    with pytest.raises(WalletsError, match="paper has no dead-man's switch"):
        DeadMansSwitches().renew(wallet, [wallet], nothing)
