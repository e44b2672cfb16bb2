"""Halt and resume from a page: a row that is in force at once, carried out by other processes, with its outcome."""

import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg

from strades_pipelines.brokerage.halts import current_state
from strades_pipelines.brokerage.pending_commands import carry_out_pending
from strades_pipelines.brokerage.portfolio import set_state
from strades_pipelines.brokerage.sleeves import current_states
from strades_pipelines.brokerage.wallet_opening import open_wallet
from tests.brokerage.conftest import PAPER, START, rows
from tests.brokerage.test_sleeves import SHARED
from tests.dashboard.conftest import CLOCK, ClientOf

if TYPE_CHECKING:
    from django.test import Client

Connection = psycopg.Connection[Any]
KEPT = "SELECT kind, scope, name, requested_by, requested_at, reason, outcome FROM trading.commands ORDER BY command_id"


def form(scope: str = "wallet:paper", reason: str = "news") -> dict[str, str]:
    """What the page's form sends."""
    return {"key": str(uuid4()), "scope": scope, "reason": reason}


def asked(client: "Client", kind: str, sent: dict[str, str]) -> str:
    """Send a form; returns the path of the page that it leads to."""
    answer = client.post(f"/{kind}/", sent)
    assert (answer.status_code, answer["Location"]) == (302, f"/commands/{sent['key']}/")
    return str(answer["Location"])


def test_a_halt_is_in_force_from_the_answer_on_and_its_page_says_what_came_of_it(
    market: Connection, site: str, client_of: ClientOf
) -> None:
    open_wallet(market, PAPER, now=START)
    # To halt waits for no second factor, so that nobody has to look for his phone first.
    client = client_of("trader", "ada", second_factor=False)
    page = client.get("/halt/?scope=wallet:paper").content.decode()
    assert '<option value="wallet:paper" selected>Wallet paper</option>' in page
    assert '<option value="strategy:sma_cross">' in page
    for address in ("/wallets/", "/wallets/paper/"):
        assert "no result yet" in client.get(address).content.decode()  # and no zero
    sent = form(reason="too <b>fast</b>")
    path = asked(client, "halt", sent)
    assert current_state(market, "paper") == "halted"
    waiting = client.get(path)
    assert "In force already" in waiting.content.decode()
    assert waiting["Refresh"] == "2"
    assert asked(client, "halt", sent) == path  # the button was pressed twice
    kept = ("halt", "wallet", "paper", "dashboard:ada", CLOCK, "too <b>fast</b>")
    assert rows(market, KEPT) == [(*kept, None)]
    carry_out_pending(market, clock=lambda: CLOCK)
    done = client.get(path)
    assert "✓ done</span>: halted" in done.content.decode()
    assert "Refresh" not in done.headers
    for text in (done.content.decode(), client.get("/commands/").content.decode(), client.get("/").content.decode()):
        assert "too &lt;b&gt;fast&lt;/b&gt;" in text
        assert "<b>fast" not in text
    assert rows(market, KEPT) == [(*kept, "halted")]


def test_of_a_wallet_of_several_strategies_each_can_be_halted(
    market: Connection, site: str, client_of: ClientOf
) -> None:
    open_wallet(market, SHARED, now=START)
    client = client_of("trader")
    options = re.findall(r'<option value="([^"]*)"', client.get("/halt/").content.decode())
    assert options == ["all", "strategy:slow", "strategy:sma_cross", "strategy:trend", "wallet:paper"]
    asked(client, "halt", form(scope="strategy:slow"))
    assert current_states(market, "paper", is_shared=True).sleeves == {"slow": "halted", "trend": "active"}
    assert current_state(market, "paper") == "active"


def test_a_form_that_says_too_little_or_something_else_leaves_no_row(
    market: Connection, site: str, client_of: ClientOf
) -> None:
    open_wallet(market, PAPER, now=START)
    client = client_of("admin", "ada")
    for wrong in (
        {},
        form(reason=" "),
        form(reason="x" * 301),
        form(reason="nul \0"),
        form(scope="wallet:nobody"),
        form(scope="strategy:paper"),
        form() | {"key": "1"},
    ):
        assert client.post("/halt/", wrong).status_code == 400, wrong
    for path in ("/halt/?scope=wallet:nobody", "/resume/?scope=all", f"/commands/{uuid4()}/", "/commands/?before=x"):
        assert client.get(path).status_code == 404, path
    assert rows(market, KEPT) == []
    sent = form(scope="all")
    asked(client, "halt", sent)
    # The key of one command, with another scope or from another person, is no command.
    assert client.post("/halt/", sent | {"scope": "wallet:paper"}).status_code == 409
    assert client_of("trader", "bob").post("/halt/", sent).status_code == 409
    assert len(rows(market, KEPT)) == 1


def test_who_only_looks_halts_nothing_and_to_resume_takes_a_second_factor(
    market: Connection, site: str, client_of: ClientOf
) -> None:
    open_wallet(market, PAPER, now=START)
    for role in ("viewer", "analyst"):
        client = client_of(role)
        assert [client.post(f"/{kind}/", form()).status_code for kind in ("halt", "resume")] == [403, 403]
        assert 'href="/halt/' not in client.get("/").content.decode()
    answer = client_of("trader", second_factor=False).post("/resume/", form())
    assert answer["Location"] == "/account/second-factor/app/"
    assert rows(market, KEPT) == []


def test_a_resume_says_why_it_was_not_done_and_another_one_is(
    market: Connection, site: str, client_of: ClientOf
) -> None:
    open_wallet(market, PAPER, now=START)
    set_state(market, "paper", "halted", reason="a fault <i>of</i> Strades")
    market.commit()
    client = client_of("trader")
    assert "a fault &lt;i&gt;of&lt;/i&gt; Strades" in client.get("/resume/").content.decode()
    path = asked(client, "resume", form())
    assert "Still halted until this is carried out" in client.get(path).content.decode()
    set_state(market, "paper", "active", reason=None)
    market.commit()
    carry_out_pending(market, clock=lambda: CLOCK)
    assert "■ not done</b>: refused: wallet paper: nothing to resume" in client.get(path).content.decode()
    set_state(market, "paper", "halted", reason="again")
    market.commit()
    second = asked(client, "resume", form())
    carry_out_pending(market, clock=lambda: CLOCK)
    assert "✓ done</span>: resumed" in client.get(second).content.decode()
    assert current_state(market, "paper") == "active"
    assert "Nothing is halted" in client.get("/commands/").content.decode()


def test_what_nobody_carries_out_is_said_to_wait_and_what_to_start(
    market: Connection, site: str, client_of: ClientOf
) -> None:
    open_wallet(market, PAPER, now=START)
    key = uuid4()
    market.execute(
        "INSERT INTO trading.commands (kind, scope, name, requested_by, requested_at, reason, arguments, request_key) "
        "VALUES ('halt', 'all', '', 'dashboard:ada', %s - interval '1 minute', 'x', '{}', %s)",
        [CLOCK, key],
    )
    market.commit()
    client = client_of("viewer")
    answer = client.get(f"/commands/{key}/")
    assert "Nothing carries it out" in answer.content.decode()
    assert answer["Refresh"] == "15"
    assert "1 wallet halted" in client.get("/").content.decode()
