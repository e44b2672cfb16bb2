"""Passkeys: what a browser sends is checked, another person's are not there, and where none works the page says so.

That one can be made and signs in is seen in a real browser (test_browser.py).
"""

import json
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from dashboard.accounts.models import Connection, User
from tests.dashboard.authenticator import Authenticator as Device
from tests.dashboard.conftest import PASSWORD, ClientOf, totp
from tests.dashboard.test_accounts import browser

# What no browser sends as a credential.
EMPTY = {"clientDataJSON": "e30", "authenticatorData": "AA", "signature": "AA", "attestationObject": "oA"}
SHORT = {"userHandle": "MQ", "clientDataJSON": "AA", "authenticatorData": "A" * 60, "attestationObject": "_wE"}
HOSTILE = (
    *("", "x", "null", "[]", "{}", "1", '"x"', "[" * 5_000),
    json.dumps({"id": 1, "rawId": [], "type": "public-key", "response": {}}),
    json.dumps({"id": "AA", "rawId": "AA", "type": "public-key", "response": {**EMPTY, "userHandle": "%%"}}),
    json.dumps({"id": "AA", "rawId": "AA", "type": "public-key", "response": {**SHORT, "signature": "AA"}}),
)


@pytest.fixture
def passkey(client_of: ClientOf) -> tuple[Client, Authenticator]:
    """A viewer with a passkey that nobody holds, and a browser that is signed in."""
    client = client_of("viewer", "ada", second_factor=False)
    data = {"name": "<b>blue</b>", "credential": {"id": "AA"}}
    made = Authenticator.objects.create(user=User.objects.get(pseudo="ada"), type="webauthn", data=data)
    return client, made


def confirmed(client: Client) -> Client:
    """The same browser, with the password given again."""
    assert client.post("/account/again/", {"password": PASSWORD}).status_code == 302
    return client


def test_what_is_no_credential_makes_no_passkey_and_signs_nobody_in(client_of: ClientOf) -> None:
    client = confirmed(client_of("viewer", "ada"))
    stranger, asked = browser(), browser()
    asked.post("/account/sign-in/", {"login": "ada", "password": PASSWORD})
    for credential in HOSTILE:
        assert client.get("/account/second-factor/passkeys/new/").status_code == 200
        made = client.post("/account/second-factor/passkeys/new/", {"name": "x", "credential": credential})
        assert made.status_code == 200
        assert stranger.get("/account/sign-in/passkey/", headers={"accept": "application/json"}).status_code == 200
        answer = stranger.post("/account/sign-in/passkey/", {"credential": credential})
        assert (answer.status_code, answer["Location"]) == (302, "/account/sign-in/")
        assert asked.post("/account/second-factor/sign-in/", {"credential": credential}).status_code == 200
    assert not Authenticator.objects.filter(type="webauthn").exists()
    assert stranger.get("/settings/").status_code == asked.get("/settings/").status_code == 302


@pytest.mark.parametrize("is_alone", [True, False])
def test_a_passkey_signs_in_alone_only_where_its_owner_ticked_that(is_alone: bool, client_of: ClientOf) -> None:
    client_of("viewer", "ada", second_factor=False)
    device = Device(User.objects.get(pseudo="ada").pk)
    owner = Client(SERVER_NAME="localhost")
    owner.post("/account/sign-in/", {"login": "ada", "password": PASSWORD})
    confirmed(owner).get("/account/second-factor/passkeys/new/")
    sent = {"name": "phone", "credential": json.dumps(device.make(owner.session["mfa.webauthn.state"]["challenge"]))}
    made = owner.post("/account/second-factor/passkeys/new/", {**sent, **({"passwordless": "on"} if is_alone else {})})
    assert made.status_code == 302, made.content.decode()

    stranger = Client(SERVER_NAME="localhost")
    asked = stranger.get("/account/sign-in/passkey/", headers={"accept": "application/json"}).json()
    signed = json.dumps(device.sign(asked["request_options"]["publicKey"]["challenge"]))
    answer = stranger.post("/account/sign-in/passkey/", {"credential": signed})
    assert answer["Location"] == ("/" if is_alone else "/account/sign-in/")
    assert (stranger.get("/settings/").status_code == 200) is is_alone
    if not is_alone:
        assert "This passkey is a second factor." in stranger.get("/account/sign-in/").content.decode()
        # With the password it is one.
        assert stranger.post("/account/sign-in/", {"login": "ada", "password": PASSWORD}).status_code == 302
        stranger.get("/account/second-factor/sign-in/")
        signed = json.dumps(device.sign(stranger.session["mfa.webauthn.state"]["challenge"]))
        assert stranger.post("/account/second-factor/sign-in/", {"credential": signed})["Location"] == "/"
        # What was signed once signs nobody in again.
        thief = Client(SERVER_NAME="localhost")
        thief.post("/account/sign-in/", {"login": "ada", "password": PASSWORD})
        assert thief.post("/account/second-factor/sign-in/", {"credential": signed}).status_code == 200


def test_who_asks_for_challenges_is_not_kept_for_long_and_not_answered_for_ever(site: str) -> None:
    french = {"accept": "application/json", "accept-language": "fr"}
    answers = [browser().get("/account/sign-in/passkey/", headers=french) for _ in range(32)]
    assert [answer.status_code for answer in answers] == [200] * 30 + [429] * 2
    assert "Trop de tentatives" in answers[-1].content.decode()
    assert Session.objects.count() == 30
    assert not Session.objects.filter(expire_date__gt=timezone.now() + timedelta(hours=1)).exists()
    assert Session.objects.filter(expire_date__gt=timezone.now() + timedelta(minutes=50)).count() == 30


def test_a_refused_answer_leaves_no_long_session_and_other_gets_take_nobodys_attempts(site: str) -> None:
    """A refusal leaves a message, which goes into the session on its way out."""
    assert [browser().get("/account/sign-in/passkey/").status_code for _ in range(31)] == [302] * 31
    assert browser().post("/account/sign-in/passkey/", {"credential": "x"}).status_code == 302
    assert Session.objects.count() == 1
    assert not Session.objects.filter(expire_date__gt=timezone.now() + timedelta(hours=1)).exists()


def test_another_persons_passkey_does_not_exist(passkey: tuple[Client, Authenticator], client_of: ClientOf) -> None:
    client = confirmed(client_of("admin", "eve"))
    place = f"/account/second-factor/passkeys/{passkey[1].pk}/"
    for path in (place, f"{place}remove/"):
        assert client.get(path).status_code == client.post(path, {"name": "mine"}).status_code == 404
    passkey[1].refresh_from_db()
    assert passkey[1].data["name"] == "<b>blue</b>"


def test_a_passkey_is_renamed_and_removed_by_whom_it_is_of(passkey: tuple[Client, Authenticator]) -> None:
    client, made = passkey
    assert "&lt;b&gt;blue&lt;/b&gt;" in client.get("/account/second-factor/passkeys/").content.decode()
    place = f"/account/second-factor/passkeys/{made.pk}/"
    assert client.post(place, {"name": "green"})["Location"].startswith("/account/again/")
    confirmed(client).post(place, {"name": "green"})
    made.refresh_from_db()
    assert made.data["name"] == "green"
    assert client.post(f"{place}remove/").status_code == 302
    assert not Authenticator.objects.exists()


def test_a_passkey_is_asked_as_the_second_factor_and_counts_as_one(
    passkey: tuple[Client, Authenticator], client_of: ClientOf
) -> None:
    User.objects.filter(pseudo="ada").update(role="admin")
    assert passkey[0].get("/people/").status_code == 200
    assert passkey[0].get("/people/").content.decode().count("✓ yes") == 1


def test_where_browsers_make_no_passkey_the_page_says_where_they_do(site: str) -> None:
    for port, said in ((":8000", "http://localhost:8000"), ("", "http://localhost.")):
        page = browser().get("/account/sign-in/", headers={"host": f"127.0.0.1{port}"})
        assert f"open this page as {said}" in page.content.decode()
        page = browser().get("/account/sign-in/", headers={"host": f"localhost{port}"})
        assert "open this page as" not in page.content.decode()


@pytest.mark.parametrize(("ticked", "stays"), [({}, False), ({"remember": "on"}, True)])
def test_who_stays_connected_does_so_with_a_second_factor_too(
    ticked: dict[str, str], stays: bool, client_of: ClientOf
) -> None:
    setting_up = confirmed(client_of("viewer", "ada", second_factor=False))
    page = setting_up.get("/account/second-factor/app/").content.decode()
    secret = page.partition('<code id="secret">')[2].partition("</code>")[0]
    setting_up.post("/account/second-factor/app/", {"code": totp(secret)})
    code = setting_up.get("/account/second-factor/codes/").content.decode().partition('<pre id="codes">')[2].split()[0]
    client = browser()
    client.post("/account/sign-in/", {"login": "ada", "password": PASSWORD, **ticked})
    assert client.post("/account/second-factor/sign-in/", {"code": code}).status_code == 302
    assert bool(client.cookies["strades_session"]["max-age"]) is stays
    Connection.objects.update(started_at=timezone.now() - timedelta(hours=13))
    assert (client.get("/settings/").status_code == 200) is stays
