"""The code of docs/venue.md runs as it stands there, and its tables name every fault."""

import re
from pathlib import Path
from typing import Any

from alpaca.trading.client import TradingClient

from sandbox.venue.faults import Fault, Operation
from sandbox.venue.venues import KEY, SECRET
from tests.sandbox.serving import Served
from tests.sandbox.venue.conftest import Clock

PAGE = (Path(__file__).parents[3] / "docs" / "venue.md").read_text()
ALPACA, CCXT, IN_PROCESS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def run(code: str, server: Served, **names: Any) -> dict[str, Any]:
    """What a block of code defines, with the address of the running sandbox."""
    address = server.url.removeprefix("http://")
    exec(code.replace("127.0.0.1:8090", address), names)
    return names


def test_alpaca_py_is_pointed_at_the_sandbox(server: Served) -> None:
    assert run(ALPACA, server)["client"].get_account().currency == "USD"


def test_ccxt_is_pointed_at_the_sandbox(server: Served) -> None:
    assert run(CCXT, server)["client"].fetch_balance()["USDT"]["total"] > 0


def test_a_venue_runs_in_time_that_a_test_moves(server: Served, clock: Clock) -> None:
    client = TradingClient(KEY, SECRET, url_override="http://venue/paper-api.alpaca.markets")
    venue = run(IN_PROCESS, server, client=client, clock=clock)["venue"]
    venue.faults.rules.clear()
    assert client.get_clock().timestamp == clock()


def test_every_kind_of_fault_and_every_operation_is_explained() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE))
    assert {kind.value for kind in Fault} | {each.value for each in Operation} <= named
