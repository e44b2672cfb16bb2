"""60 forms a minute from a person, 300 from an address of strangers; what stops trading is never refused."""

import time

import pytest
from django.test import Client

from dashboard import write_limits
from dashboard.access import MATRIX
from dashboard.write_limits import OF_ADDRESS, OF_PERSON  # before `site` sets others
from tests.dashboard.conftest import ClientOf

FORM = "/calendar/1000000/revoke/"  # of nobody: 404


@pytest.fixture(autouse=True)
def real_limits(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits as they are served."""
    monkeypatch.setattr(write_limits, "OF_PERSON", OF_PERSON)
    monkeypatch.setattr(write_limits, "OF_ADDRESS", OF_ADDRESS)


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
    monkeypatch.setattr(write_limits, "OF_ADDRESS", "5/m/ip")
    answers = [Client(SERVER_NAME="127.0.0.1").post("/account/sign-up/").status_code for _ in range(6)]
    assert (answers[4] == 429, answers[5] == 429) == (False, True)
    assert Client(SERVER_NAME="127.0.0.1", REMOTE_ADDR="10.0.0.1").post("/account/sign-up/").status_code != 429
    assert somebody.post(FORM).status_code == 404  # from the address whose five are used up


def test_every_form_that_stops_trading_is_unlimited() -> None:
    """The names of the URLs behind the buttons that stop something; each is one of the table of rights."""
    stopping = {"halt", "flatten", "order_cancel", "live_revoke", "automation_pause", "run_cancel"}
    assert stopping <= write_limits.UNLIMITED <= MATRIX.keys()
