"""Forms, searches and files are counted; what stops trading is never refused."""

import re
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.cache import cache
from django.test import Client

from dashboard import rate_limits
from dashboard.access import MATRIX
from dashboard.accounts.models import AccountChange
from dashboard.gateway.live_trading import MOST_IN_AN_HOUR
from dashboard.rate_limits import EXPORTED, EXPORTS, OF_ADDRESS, OF_PERSON  # before `site` sets others
from dashboard.urls import urlpatterns
from tests.dashboard.conftest import ClientOf

HERE = Path(rate_limits.__file__).parent
Connection = psycopg.Connection[Any]

FORM = "/calendar/1000000/revoke/"  # of nobody: 404


@pytest.fixture(autouse=True)
def real_limits(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits as they are served."""
    monkeypatch.setattr(rate_limits, "OF_PERSON", OF_PERSON)
    monkeypatch.setattr(rate_limits, "OF_ADDRESS", OF_ADDRESS)
    monkeypatch.setattr(rate_limits, "EXPORTS", EXPORTS)


def test_the_sixtieth_form_of_a_minute_is_taken_and_the_next_is_not(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = client_of("trader", "ada"), client_of("viewer", "bob")
    started = time.time()
    monkeypatch.setattr(time, "time", lambda: started)
    assert {ada.post(FORM).status_code for _ in range(59)} == {404}
    assert ada.get("/calendar/").status_code == 200  # what reads is not counted
    assert [ada.post(FORM).status_code for _ in range(2)] == [404, 429]
    refused = ada.post(FORM, headers={"accept-language": "fr"})
    assert refused["Retry-After"] == "60"
    assert "est jamais limité." in refused.content.decode()
    assert ada.post("/halt/", {}).status_code == 400  # looked at: it lacks its fields
    assert bob.post(FORM).status_code == 404
    monkeypatch.setattr(time, "time", lambda: started + 61)
    assert ada.post(FORM).status_code == 404


def test_an_address_has_a_limit_of_its_own_for_who_is_not_signed_in(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    somebody = client_of("viewer", "somebody")
    monkeypatch.setattr(rate_limits, "OF_ADDRESS", "5/m/ip")
    answers = [Client(SERVER_NAME="127.0.0.1").post("/account/sign-up/").status_code for _ in range(6)]
    assert (answers[4] == 429, answers[5] == 429) == (False, True)
    assert Client(SERVER_NAME="127.0.0.1", REMOTE_ADDR="10.0.0.1").post("/account/sign-up/").status_code != 429
    assert somebody.post(FORM).status_code == 404  # from the address whose five are used up


def test_every_form_that_stops_trading_is_unlimited() -> None:
    """The names of the URLs behind the buttons that stop something; each is one of the table of rights."""
    stopping = {"halt", "flatten", "order_cancel", "live_revoke", "automation_pause", "run_cancel"}
    assert stopping <= rate_limits.UNLIMITED <= MATRIX.keys()


def test_a_person_searches_so_often_a_minute(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, bob = client_of("viewer", "ada"), client_of("viewer", "bob")
    started = time.time()
    monkeypatch.setattr(time, "time", lambda: started)
    monkeypatch.setattr(rate_limits, "SEARCHES", "4/m/user")  # 120 pages take six seconds
    assert [ada.get(f"/search/?q={text}").status_code for text in ("", "BTC", "BTC", "x", "y")] == [200] * 4 + [429]
    refused = ada.head("/search/?q=BTC")
    assert (refused.status_code, refused["Retry-After"]) == (429, "60")
    french = ada.get("/search/?q=BTC", headers={"accept-language": "fr"}).content.decode()
    assert "120 recherches par minute" in french
    assert ada.get("/markets/").status_code == 200
    assert bob.get("/search/?q=BTC").status_code == 200
    assert Client(SERVER_NAME="127.0.0.1").get("/search/?q=BTC").status_code == 302
    monkeypatch.setattr(time, "time", lambda: started + 61)
    assert ada.get("/search/?q=BTC").status_code == 200


def test_a_person_saves_30_files_an_hour_and_each_leaves_a_row(
    client_of: ClientOf, traded: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = client_of("viewer", "ada"), client_of("viewer", "bob")
    files = [
        "/wallets/paper/fills.csv",
        "/wallets/paper/equity.csv",
        "/data/trading/fills/rows.csv",
        "/bodies/1/download/",
    ]
    started = time.time()
    monkeypatch.setattr(time, "time", lambda: started)
    assert {ada.get(file).status_code for file in files for _ in range(7)} == {200}
    assert ada.get("/wallets/nobody/fills.csv").status_code == 404  # counted, and nothing was saved
    assert [ada.get(files[n]).status_code for n in (2, 0)] == [200, 429]
    refused = ada.get(files[3], headers={"accept-language": "fr"})
    assert (refused.status_code, refused["Retry-After"]) == (429, "3600")
    assert "30 fichiers par heure" in refused.content.decode()
    assert ada.get("/wallets/paper/").status_code == 200
    assert bob.get(files[0]).status_code == 200
    monkeypatch.setattr(time, "time", lambda: started + 3601)
    assert ada.get(files[3]).status_code == 200
    kept = AccountChange.objects.order_by("sequence").values_list("by", "person__pseudo", "what")
    expected = [*(file for file in files for _ in range(7)), files[2]]
    assert list(kept) == [
        *(("ada", "ada", f"saved {file}") for file in expected),
        ("bob", "bob", f"saved {files[0]}"),
        ("ada", "ada", f"saved {files[3]}"),
    ]


def test_a_file_whose_row_cannot_be_written_is_not_given(client_of: ClientOf, traded: Connection, site: str) -> None:
    ada = client_of("viewer", "ada", raise_request_exception=False)
    with psycopg.connect(site, autocommit=True) as owner:
        owner.execute("ALTER TABLE audit.account_changes ADD CHECK (change !~ '^saved')")
    answer = ada.get("/wallets/paper/fills.csv")
    assert answer.status_code == 500
    assert b"102" not in answer.content


def test_every_url_that_gives_a_file_is_counted() -> None:
    """By their paths: what ends like a file, or says that it is saved."""
    paths = {pattern.name: str(pattern.pattern) for pattern in urlpatterns}
    ends = re.compile(r"\.(?:csv|json|vcf|zip)$|events\.ics$|rows\.<|download/$|/bytes/$")
    of_files = {name for name, path in paths.items() if ends.search(path)}
    assert of_files == EXPORTED


def test_the_pages_say_the_numbers_that_are_served() -> None:
    page = (HERE / "templates" / "429.html").read_text()
    assert (rate_limits.SEARCHES, EXPORTS, MOST_IN_AN_HOUR) == ("120/m/user", "30/h/user", 3)
    for said in ("search 120 times a minute", "save 30 files an hour", "three times an hour"):
        assert said in page


def test_what_a_person_has_saved_is_still_counted_when_much_else_is() -> None:
    cache.set("one of the files", 30, 3600)
    for n in range(5_000):
        cache.set(f"another counter {n}", 1, 60)
    assert cache.get("one of the files") == 30
