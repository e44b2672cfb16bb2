"""Attacks on the dashboard: to get in, to gain rights, to lock others out. `docs/security.md` lists them all."""

import re
import time
from typing import Any

import psycopg
import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client

from dashboard.accounts.models import User
from dashboard.results.exports import to_csv
from strades_pipelines.settings import settings
from tests.dashboard.conftest import PASSWORD, ClientOf, hashed_password, totp
from tests.dashboard.test_accounts import FORM, browser

SIGN_IN = {"login": "ada", "password": PASSWORD}
ELSEWHERE = (
    *("//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example", "https:evil"),
    *("http:///evil.example", "javascript:alert(1)", " //evil.example", "//127.0.0.1@evil.example", "\t//evil.example"),
)


def account(name: str = "ada", **more: Any) -> User:
    """An account without a second factor."""
    user: User = User.objects.create(pseudo=name, password=hashed_password(), **more)
    return user


def test_a_planted_session_cookie_is_replaced_when_its_victim_signs_in(site: str) -> None:
    account()
    attacker, victim = browser(), browser()
    attacker.get("/account/sign-in/passkey/", headers={"accept": "application/json"})
    planted = attacker.cookies["strades_session"].value
    assert Session.objects.filter(session_key=planted).exists()
    victim.cookies["strades_session"] = planted
    assert victim.post("/account/sign-in/", SIGN_IN)["Location"] == "/"
    own = victim.cookies["strades_session"].value
    assert own != planted
    assert attacker.get("/settings/").status_code == 302
    # A cookie stolen from a browser is worthless once its owner has signed out.
    victim.post("/account/sign-out/")
    for key in (own, planted, "x" * 32, "' OR 1=1 --", "\0"):
        thief = browser()
        thief.cookies["strades_session"] = key
        assert thief.get("/settings/").status_code == 302


def test_forged_tokens_change_nothing(client_of: ClientOf) -> None:
    client = client_of("viewer", "ada", enforce_csrf_checks=True)
    client.get("/settings/")
    other = Client(SERVER_NAME="127.0.0.1")
    other.get("/account/sign-in/")
    for token in ("", "x", "a" * 32, "a" * 64, "\0" * 64, other.cookies["strades_csrf"].value, "é" * 64):
        answer = client.post("/settings/", {"csrfmiddlewaretoken": token, "name": "Eve"})
        assert answer.status_code == 403, token
        assert (
            client.post("/settings/", {"name": "Eve"}, headers={"x-csrftoken": token.encode().hex()}).status_code == 403
        )
    assert User.objects.get(pseudo="ada").name == ""


def test_fields_that_no_form_has_are_ignored(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of("viewer", "ada")
    before = User.objects.values().get(pseudo="ada")
    more = {
        "role": "admin",
        "is_active": "",
        "pseudo": "root",
        "UserID": "1",
        "id": "1",
        "password": "x",
        "last_login": "",
    }
    assert client.post("/settings/", {"name": "Ada", **more}).status_code == 302
    assert User.objects.values().get(pseudo="ada") == {**before, "name": "Ada"}
    monkeypatch.setenv("STRADES_DASHBOARD_SIGNUP", "open")
    settings.cache_clear()
    browser().post("/account/sign-up/", {"username": "bob", **FORM, "role": "admin", "is_staff": "on", "id": "1"})
    bob = User.objects.get(pseudo="bob")
    assert (bob.role, bob.pk != before["id"]) == ("viewer", True)
    admin = client_of("admin", "eve")
    admin.post(f"/people/{bob.pk}/", {"role": "analyst", "is_active": "on", "pseudo": "root", "password": "x"})
    bob.refresh_from_db()
    assert (bob.pseudo, bob.role, bob.check_password(PASSWORD)) == ("bob", "analyst", True)


def test_no_redirect_leads_to_another_site_after_signing_in_confirming_or_choosing(site: str) -> None:
    account()
    for place in ELSEWHERE:
        cache.clear()  # ten confirmations a minute
        client = browser()
        assert client.post("/account/sign-in/", {**SIGN_IN, "next": place})["Location"] == "/", place
        assert client.post("/preferences/", {"theme": "dark", "next": place})["Location"] == "/", place
        assert client.post("/account/again/", {"password": PASSWORD, "next": place})["Location"] == "/", place
        page = browser().get("/account/sign-in/", {"next": place}).content.decode()
        assert not re.search(r"(?:href|action)=\"[^\"]*evil", page), place
    assert browser().post("/account/sign-in/", {**SIGN_IN, "next": "/news/"})["Location"] == "/news/"


def test_a_name_that_nobody_has_costs_as_much_time_as_a_wrong_password(site: str) -> None:
    account()
    costs: dict[str, float] = {}
    for name in ("ada", "nobody"):
        client = browser()
        began = time.process_time()
        client.post("/account/sign-in/", {"login": name, "password": "wrong horse 42"})
        costs[name] = time.process_time() - began
    # Hashing the password is most of the time: a request without it takes a tenth.
    assert costs["nobody"] > costs["ada"] / 2


def test_wrong_passwords_from_one_address_lock_nobody_out_at_another(site: str) -> None:
    account()
    for n in range(8):
        guess = {"login": "ada", "password": f"wrong horse {n}"}
        Client(SERVER_NAME="127.0.0.1", REMOTE_ADDR="192.0.2.7").post("/account/sign-in/", guess)
        # Anybody can write this header, so it does not count as an address.
        browser().post("/account/sign-in/", {**guess, "login": f"nobody{n}"}, headers={"x-forwarded-for": "192.0.2.9"})
    assert (
        Client(SERVER_NAME="127.0.0.1", REMOTE_ADDR="192.0.2.7").post("/account/sign-in/", SIGN_IN).status_code == 200
    )
    assert browser().post("/account/sign-in/", SIGN_IN)["Location"] == "/"


def test_a_code_of_an_authenticator_app_works_once_and_guesses_are_limited(site: str) -> None:
    secret = generate_totp_secret()
    TOTP.activate(account(), secret)

    def answer(code: str) -> int:
        client = browser()
        client.post("/account/sign-in/", SIGN_IN)
        client.post("/account/second-factor/sign-in/", {"code": code})
        return int(client.get("/settings/").status_code)

    code = totp(secret)
    assert answer(code) == 200
    assert answer(code) == 302
    for n in range(5):
        assert answer(f"{n:06d}") == 302
    other = generate_totp_secret()
    TOTP.activate(account("bob"), other)
    client = browser()
    client.post("/account/sign-in/", {"login": "bob", "password": PASSWORD})
    for n in range(6):
        client.post("/account/second-factor/sign-in/", {"code": f"{n:06d}"})
    client.post("/account/second-factor/sign-in/", {"code": totp(other)})
    assert client.get("/settings/").status_code == 302


def test_no_address_leads_to_a_file_or_a_table_of_accounts(client_of: ClientOf) -> None:
    client = client_of("admin")
    for path in (
        *("/static/../dashboard.key", "/static/%2e%2e/%2e%2e/dashboard.key", "/static/..%2fdashboard.key"),
        *("/static//etc/passwd", "/static/%00", "/data/records/candles/rows.%2e%2e%2fx", "/data/..%2f..%2f/x/rows.csv"),
        *("/data/dashboard/django_session/", "/data/dashboard/user_logging_info/rows.csv"),
        "/bodies/1/../../settings.py",
    ):
        assert client.get(path).status_code == 404, path


def test_a_wallets_name_adds_no_header_and_no_folder_to_a_file(
    traded: "psycopg.Connection[Any]", client_of: ClientOf
) -> None:
    name = 'x"; filename*=../é\tx'
    traded.execute(
        'INSERT INTO trading.wallets (wallet, mode, broker, strategy, parameters, instruments, "interval", code_hash, '
        "currency, opening_cash, fee_rate, opened_at, max_decision_age) "
        "VALUES (%s, 'replay', 'replay', 's', '{}', '{}', '1m', 'c', 'USD', 100, 0, now(), '1 hour')",
        [name],
    )
    traded.commit()
    client = client_of("viewer")
    answer = client.get("/wallets/x%22%3B%20filename%2A%3D..%2F%C3%A9%09x/fills.csv")
    assert answer.status_code == 200
    assert answer["Content-Disposition"] == 'attachment; filename="x___filename_______x-fills.csv"'
    assert answer["Cache-Control"] == "no-store"
    assert client.get("/wallets/x%0D%0ASet-Cookie%3A%20a%3Db/fills.csv").status_code == 404


def test_no_exported_text_is_run_as_a_formula_by_a_spreadsheet() -> None:
    for sign in "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20":
        line = to_csv(["a"], [[f"{sign}cmd|' /C calc'!A0"]]).split("\n", 1)[1]
        assert line.lstrip('"').startswith("'"), sign
    for end in ";\t\r\n":  # which a spreadsheet may take for the end of a cell
        assert "'=cmd" in to_csv(["a"], [[f"News{end}=cmd|' /C calc'!A0"]]), end
    assert to_csv(["a"], [["a=b; c-d"]]) == "a\na=b; c-d\n"
