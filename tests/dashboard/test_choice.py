"""Assets of the day: what a form saves gates the wallet, in versions, none of which is lost. Start: what is amiss."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from dashboard.choice.drafts import Base, Draft, compare, merged, parse_boxes, parse_ids, parse_versions
from strades_pipelines.brokerage.intents import intend
from strades_pipelines.brokerage.portfolio import load_wallet, set_state
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.market.wallet_limits import parse_limits
from tests.brokerage.conftest import BTC, ETH, PAPER, START, AddCandles, rows
from tests.brokerage.test_execution import CLOSES, decision
from tests.dashboard.conftest import CLOCK, ClientOf
from tests.dashboard.test_today import MOST_QUERIES

if TYPE_CHECKING:
    from django.test import Client

Connection = psycopg.Connection[Any]
COINS = ("gateio:BTC_USDT", "gateio:ETH_USDT")
TODAY = CLOCK.date().isoformat()
KEPT = "SELECT version, instruments, chosen_by, chosen_at, reason FROM trading.asset_choices ORDER BY version"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def choosing(market: Connection, add_candles: AddCandles, site: str) -> Connection:
    """A paper wallet of two coins that takes notice of a choice."""
    add_candles(CLOSES, start=CLOCK - timedelta(minutes=len(CLOSES)))
    limits = parse_limits({"chosen_only": True})
    open_wallet(market, replace(PAPER, instruments=COINS, limits=limits), now=START)
    return market


def sent(*listings: int, version: int = 0, shown: tuple[int, ...] = (BTC, ETH), **changes: str) -> dict[str, Any]:
    """What the page's form sends."""
    boxes = {
        "key": str(uuid4()),
        "reason": "earnings",
        "shown": ",".join(map(str, shown)),
        "version": [f"paper={version}"],
        "chosen": [f"{listing}:paper" for listing in listings],
    }
    return boxes | changes


def checked(page: str) -> list[str]:
    """The boxes that are checked."""
    return re.findall(r'name="chosen" value="([^"]+)" checked', page)


def save(client: "Client", form: dict[str, Any], address: str = "") -> int:
    """Send a form; returns the status of the answer."""
    return int(client.post(f"/choice/save/{address}", form).status_code)


def test_what_is_saved_gates_the_wallet_and_the_refusal_is_on_its_decision_s_page(
    choosing: Connection, client_of: ClientOf
) -> None:
    client = client_of("trader", "ada")
    page = client.get("/choice/").content.decode()
    assert checked(page) == [f"{BTC}:paper", f"{ETH}:paper"]  # nobody has chosen: everything goes
    assert "Nothing is chosen yet" in page
    form = sent(ETH, reason=f"rain {HOSTILE}")
    assert [save(client, form), save(client, form)] == [302, 302]  # the button was pressed twice
    assert rows(choosing, KEPT) == [(1, ["gateio:ETH_USDT"], "dashboard:ada", CLOCK, f"rain {HOSTILE}")]
    page = client.get("/choice/").content.decode()
    assert checked(page) == [f"{ETH}:paper"]
    made = decision(choosing, 2.0, CLOCK - timedelta(minutes=1))
    _, [refusal] = intend(choosing, load_wallet(choosing, "paper"), now=CLOCK)
    choosing.commit()
    assert refusal.code == "not_chosen"
    told = client.get(f"/decisions/{made}/").content.decode()
    assert "refused · not chosen" in told
    assert "gateio:BTC_USDT is not in version 1 of the choice" in told
    assert "<script" not in page + told


def test_a_version_that_says_it_is_of_later_is_not_shown_as_the_one_that_counts(
    choosing: Connection, client_of: ClientOf
) -> None:
    choosing.execute(
        "INSERT INTO trading.asset_choices VALUES ('paper', %s, 1000000, '{}', 'eve', '2199-01-01Z', 'x', %s)",
        [TODAY, uuid4()],
    )
    choosing.commit()
    client = client_of("trader", "ada")
    assert "Nothing is chosen yet" in client.get("/choice/").content.decode()
    assert save(client, sent(ETH)) == 302
    assert save(client, sent(ETH, version=1_000_000)) == 400


def test_of_two_tabs_the_later_one_is_told_and_loses_nothing(choosing: Connection, client_of: ClientOf) -> None:
    ada, bob = client_of("trader", "ada"), client_of("trader", "bob")
    assert save(ada, sent(ETH, reason="ada was first")) == 302
    late = sent(BTC)
    answer = bob.post("/choice/save/", late)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "has changed since you opened the page" in page
    assert "ada was first" in page
    assert checked(page) == [f"{BTC}:paper"]  # his own
    assert 'name="version" value="paper=1"' in page
    assert len(rows(choosing, KEPT)) == 1
    assert save(bob, late | {"version": ["paper=1"]}) == 302
    assert [row[:3] for row in rows(choosing, KEPT)] == [
        (1, ["gateio:ETH_USDT"], "dashboard:ada"),
        (2, ["gateio:BTC_USDT"], "dashboard:bob"),
    ]


def test_a_form_that_was_saved_and_is_changed_with_the_back_button_is_told_so(
    choosing: Connection, client_of: ClientOf
) -> None:
    client = client_of("trader")
    form = sent(ETH)
    assert save(client, form) == 302
    again = client.post("/choice/save/", form | {"chosen": [f"{BTC}:paper"]})
    assert again.status_code == 409
    page = again.content.decode()
    assert checked(page) == [f"{BTC}:paper"]
    [key] = re.findall(r'name="key" value="([^"]+)"', page)
    assert key != form["key"]
    assert save(client, sent(BTC, version=1, key=key)) == 302
    assert [row[:2] for row in rows(choosing, KEPT)] == [(1, ["gateio:ETH_USDT"]), (2, ["gateio:BTC_USDT"])]


def test_what_a_filter_hides_keeps_its_choice_and_presets_fill_boxes_alone(
    choosing: Connection, client_of: ClientOf
) -> None:
    client = client_of("trader")
    page = client.get("/choice/?q=btc").content.decode()
    assert re.findall(r'name="chosen" value="([^"]+)"', page) == [f"{BTC}:paper"]
    assert save(client, sent(shown=(BTC,)), "?q=btc") == 302
    [(_, instruments, *_rest)] = rows(choosing, KEPT)
    assert instruments == ["gateio:ETH_USDT"]
    assert checked(client.get("/choice/?preset=all").content.decode()) == [f"{BTC}:paper", f"{ETH}:paper"]
    assert checked(client.get("/choice/?preset=none").content.decode()) == []
    tomorrow = (CLOCK.date() + timedelta(days=1)).isoformat()
    assert checked(client.get(f"/choice/?day={tomorrow}&preset=before").content.decode()) == [f"{ETH}:paper"]
    assert len(rows(choosing, KEPT)) == 1


def test_a_form_that_makes_no_sense_saves_nothing(choosing: Connection, client_of: ClientOf) -> None:
    client = client_of("trader")
    wrong = [
        {},
        sent(BTC, reason=" "),
        sent(BTC, reason="x" * 301),
        sent(BTC, key="1"),
        sent(BTC, shown="11;12"),  # type: ignore[arg-type]
        sent(BTC) | {"chosen": ["paper"]},
        sent(BTC) | {"version": ["paper=-1"]},
        sent(BTC) | {"version": ["nobody=0"]},
        sent(BTC, ETH),  # as it was
    ]
    assert [save(client, form) for form in wrong] == [400] * len(wrong)
    yesterday = (CLOCK.date() - timedelta(days=1)).isoformat()
    assert save(client, sent(BTC), f"?day={yesterday}") == 400
    for address in (
        "day=2024-02-30",
        "day=x",
        "day=1999-01-01",
        "day=2024-03-01",
        "after=x",
        "q=%00",
        f"q={'x' * 101}",
    ):
        assert client.get(f"/choice/?{address}").status_code == 404, address
    assert rows(choosing, KEPT) == []


def test_who_only_looks_has_no_boxes_and_to_choose_takes_a_second_factor(
    choosing: Connection, client_of: ClientOf
) -> None:
    for role in ("viewer", "admin"):
        client = client_of(role)
        page = client.get("/choice/").content.decode()
        assert '<input type="checkbox"' not in page
        assert "✓ paper" in page
        assert save(client, sent(BTC)) == 403
    answer = client_of("trader", second_factor=False).post("/choice/save/", sent(BTC))
    assert answer["Location"] == "/account/second-factor/app/"
    assert rows(choosing, KEPT) == []


def test_a_row_says_what_is_known_and_names_what_is_not(choosing: Connection, client_of: ClientOf) -> None:
    choosing.execute("INSERT INTO records.instruments VALUES ('1', 'BTC_USDT', %s, 'crypto', '1m')", [HOSTILE])
    choosing.execute(
        "INSERT INTO records.sessions VALUES ('XNYS', %s, %s, %s, true)",
        [CLOCK.date() + timedelta(days=1), CLOCK + timedelta(days=1), CLOCK + timedelta(days=1, hours=3)],
    )
    choosing.commit()
    client = client_of("viewer")
    page = client.get("/choice/").content.decode()
    bitcoin, ether, apple = (
        page.partition(f'<a href="/markets/{listing}/">')[2].partition("</tr>")[0] for listing in (BTC, ETH, 21)
    )
    assert "around the clock" in bitcoin
    assert ">104<" in bitcoin
    assert "USDT" in bitcoin
    assert "&lt;script&gt;" in bitcoin
    assert "no bar came yet" in ether
    assert "not named in Sources.json" in ether
    assert "no forecast" in ether
    assert "closed" in apple  # the calendar has tomorrow and not today
    choosing.execute(
        "INSERT INTO records.last_trades VALUES (%s, '7', %s, 107, 1, 'buy', %s)",
        [BTC, CLOCK + timedelta(seconds=1), CLOCK],
    )
    choosing.execute(
        "INSERT INTO records.last_trades VALUES (%s, '7', %s, 55, 1, 'buy', %s)",
        [21, CLOCK - timedelta(days=900), CLOCK],
    )
    choosing.commit()
    page = client.get("/choice/").content.decode()
    bitcoin = page.partition(f'<a href="/markets/{BTC}/">')[2].partition("</tr>")[0]
    assert ">107<" in bitcoin  # the stream knows a trade since the newest bar
    assert "trade · " in bitcoin
    assert "<script" not in page


def test_start_says_what_is_amiss_and_leads_on(choosing: Connection, client_of: ClientOf) -> None:
    client = client_of("trader", second_factor=False)
    page = client.get("/start/").content.decode()
    assert 'href="/account/second-factor/app/"' in page
    assert "cash and position limits alone hold" in page
    assert 'class="button primary" href="/choice/"' in page
    set_state(choosing, "paper", "halted", reason="a fault")
    choosing.commit()
    page = client.get("/start/").content.decode()
    assert "all paper wallets are halted" in page
    assert 'class="button primary" href="/resume/?scope=wallet%3Apaper"' in page
    assert 'href="/resume/' not in client_of("viewer").get("/start/").content.decode()


def test_the_pages_ask_the_database_at_most_a_dozen_times(choosing: Connection, client_of: ClientOf) -> None:
    client = client_of("trader")
    assert save(client, sent(ETH)) == 302
    client.get("/")
    for path in ("/choice/", "/choice/?preset=before", "/start/", "/flatten/"):
        with (
            CaptureQueriesContext(connections["default"]) as own,
            CaptureQueriesContext(connections["layers"]) as layers,
        ):
            assert client.get(path).status_code == 200
        asked = [one["sql"] for one in (*own, *layers) if one["sql"].lstrip().startswith(("SELECT", "WITH"))]
        assert len(asked) <= MOST_QUERIES, (path, asked)


def test_boxes_that_were_not_shown_stay_as_they_were() -> None:
    base = Base(3, ["v:A", "v:B"], frozenset({"v:A", "v:B", "v:C"}))
    shown = {1: "v:A", 3: "v:C", 9: "v:Z"}
    assert merged(base, {3}, shown) == ["v:B", "v:C"]
    assert merged(base, {1, 9, 77}, shown) == ["v:A", "v:B"]  # Z is not of the wallet, 77 was not shown
    assert merged(base, set(), {}) == ["v:A", "v:B"]


def test_a_form_sent_again_is_known_by_what_it_saved() -> None:
    """It saved version 1 of the wallet; somebody has made version 2 of it since."""
    listed, shown = frozenset({"v:A", "v:B"}), {1: "v:A", 2: "v:B"}
    bases = {"w": Base(2, ["v:B"], listed)}
    assert compare(bases, {"w": 0}, {"w": {1}}, shown, {"w": ["v:A"]}) == Draft({}, [])
    assert compare(bases, {"w": 0}, {"w": {2}}, shown, {"w": ["v:A"]}) == Draft({}, ["w"])
    assert compare(bases, {"w": 0}, {"w": {1}}, shown, {}) == Draft({}, ["w"])
    assert compare(bases, {"w": 2}, {"w": {1}}, shown, {}) == Draft({"w": ["v:A"]}, [])
    assert compare(bases, {"gone": 2}, {"gone": {1}}, shown, {}) == Draft({}, [])


@pytest.mark.parametrize("text", ["1,", ",", "-1", "1.0", "2147483648", "٣", ",".join(["1"] * 1001)])
def test_a_list_of_ids_is_read_strictly(text: str) -> None:
    assert parse_ids(text) is None
    assert parse_boxes([f"{text}:paper"]) is None
    assert parse_versions([f"paper={text}"]) is None
