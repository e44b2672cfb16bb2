"""Accounts: who gets one and as what, what proves who one is, and how a connection ends."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone

from dashboard.accounts.creation import create_account
from dashboard.accounts.models import AccountChange, Connection, Invitation, User
from dashboard.accounts.roles import Role
from strades_pipelines.settings import settings
from tests.dashboard.conftest import PASSWORD, ClientOf, totp

FORM = {"password1": PASSWORD, "password2": PASSWORD}


def browser() -> Client:
    """A browser that is not signed in."""
    return Client(SERVER_NAME="127.0.0.1")


def test_the_first_visit_makes_the_first_account_an_admins(site: str) -> None:
    first = browser()
    assert first.get("/")["Location"] == "/account/sign-up/"
    assert first.post("/account/sign-up/", {"username": "ada", **FORM}).status_code == 302
    assert rows_of_accounts(site) == [("ada", "admin")]
    assert first.get("/").status_code == 200
    assert browser().get("/")["Location"].startswith("/account/sign-in/")


@pytest.mark.parametrize("case", ["another machine", "behind a proxy", "live world"])
def test_where_a_stranger_could_be_first_no_page_makes_the_first_account(
    case: str, site: str, settings_of_django: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRADES_DASHBOARD_SIGNUP", "open")
    if case == "live world":
        monkeypatch.setenv("STRADES_WORLD", "live")
    settings.cache_clear()
    settings_of_django.PUBLIC_ORIGINS = ["https://strades.example.org"] if case == "behind a proxy" else []
    address = "192.0.2.7" if case == "another machine" else "127.0.0.1"
    visitor = Client(SERVER_NAME="127.0.0.1", REMOTE_ADDR=address)
    page = visitor.get("/", follow=True).content.decode()
    assert "strades dashboard createuser NAME --role admin" in page
    visitor.post("/account/sign-up/", {"username": "eve", **FORM})
    assert rows_of_accounts(site) == []


@pytest.fixture
def settings_of_django() -> Iterator[Any]:
    """Django's settings, which a test may change."""
    from django.test import override_settings

    with override_settings():
        from django.conf import settings as django_settings

        yield django_settings


def rows_of_accounts(site: str) -> list[tuple[str, str]]:
    """Names and roles."""
    return [(user.pseudo, user.role) for user in User.objects.order_by("pseudo")]


@pytest.mark.parametrize(("mode", "made"), [("off", False), ("invitation", False), ("open", True)])
def test_who_may_sign_up_is_a_setting(
    mode: str, made: bool, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    client_of("admin", "ada")
    monkeypatch.setenv("STRADES_DASHBOARD_SIGNUP", mode)
    settings.cache_clear()
    browser().post("/account/sign-up/", {"username": "bob", **FORM})
    assert User.objects.filter(pseudo="bob", role="viewer").exists() is made


def test_an_invitation_makes_one_account_of_its_role(client_of: ClientOf) -> None:
    admin = client_of("admin", "ada")
    admin.post("/people/invitations/", {"role": "trader"})
    page = admin.get("/people/").content.decode()
    link = page.partition('id="invitation">')[2].partition("</code>")[0]
    guest = browser()
    assert guest.get(link)["Location"] == "/account/sign-up/"
    guest.post("/account/sign-up/", {"username": "tom", **FORM})
    assert User.objects.get(pseudo="tom").role == "trader"
    assert browser().get(link).status_code == 404
    assert link not in admin.get("/people/").content.decode()


def test_an_old_invitation_opens_nothing(client_of: ClientOf) -> None:
    client_of("admin", "ada")
    made, token = Invitation.issue(role=Role.VIEWER, by=User.objects.get(pseudo="ada"))
    Invitation.objects.filter(pk=made.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert browser().get(f"/invitation/{token}/").status_code == 404


def test_a_wrong_name_and_a_wrong_password_are_answered_alike(client_of: ClientOf) -> None:
    client_of("viewer", "ada")
    texts = set()
    for name in ("ada", "bob"):
        page = browser().post("/account/sign-in/", {"login": name, "password": "wrong horse 42"}).content.decode()
        texts.add(page.partition('class="errorlist"')[2].partition("</ul>")[0])
    assert len(texts) == 1
    assert texts != {""}


def test_too_many_wrong_passwords_are_answered_no_more(client_of: ClientOf) -> None:
    client_of("viewer", "ada")
    attempts = [{"login": "ada", "password": f"wrong horse {n}"} for n in range(12)]
    pages = [browser().post("/account/sign-in/", attempt) for attempt in attempts]
    assert b"Too many failed" in pages[5].content or pages[-1].status_code == 429
    right = browser().post("/account/sign-in/", {"login": "ada", "password": PASSWORD})
    assert right.status_code != 302


def test_another_port_in_the_host_is_no_new_set_of_attempts_and_nobody_else_is_kept_out(client_of: ClientOf) -> None:
    for name in ("ada", "bob"):
        client_of("viewer", name, second_factor=False)
    for port in range(6):
        attempt = {"login": "ada", "password": f"wrong horse {port}"}
        browser().post("/account/sign-in/", attempt, headers={"host": f"127.0.0.1:{port + 1}"})
    right = {"password": PASSWORD}
    assert browser().post("/account/sign-in/", {"login": "ada", **right}).status_code != 302
    assert browser().post("/account/sign-in/", {"login": "Ada", **right}).status_code != 302
    for n in range(5):
        browser().post("/account/sign-in/", {"login": f"nobody{n}", "password": "wrong horse 42"})
    assert browser().post("/account/sign-in/", {"login": "bob", **right}).status_code == 302


@pytest.mark.parametrize(
    ("remember", "hours", "stays"),
    [({}, 11, True), ({}, 13, False), ({"remember": "on"}, 719, True), ({"remember": "on"}, 721, False)],
)
def test_a_connection_ends_after_twelve_hours_or_after_thirty_days_where_it_is_to_stay(
    remember: dict[str, str], hours: int, stays: bool, client_of: ClientOf
) -> None:
    client_of("viewer", "ada", second_factor=False)
    client = browser()
    assert client.post("/account/sign-in/", {"login": "ada", "password": PASSWORD, **remember}).status_code == 302
    assert client.get("/settings/").status_code == 200
    Connection.objects.update(started_at=timezone.now() - timedelta(hours=hours))
    assert (client.get("/settings/").status_code == 200) is stays


def test_a_second_factor_is_asked_and_a_recovery_code_works_once(client_of: ClientOf) -> None:
    client = client_of("trader", "tom", second_factor=False)
    client.post("/account/again/", {"password": PASSWORD})
    page = client.get("/account/second-factor/app/").content.decode()
    secret = page.partition('<code id="secret">')[2].partition("</code>")[0]
    assert client.post("/account/second-factor/app/", {"code": "000000"}).status_code == 200
    assert client.post("/account/second-factor/app/", {"code": totp(secret)}).status_code == 302
    codes = client.get("/account/second-factor/codes/").content.decode()
    code = codes.partition('<pre id="codes">')[2].split()[0]
    for expected in (302, 200):
        other = browser()
        asked = other.post("/account/sign-in/", {"login": "tom", "password": PASSWORD})
        assert asked["Location"] == "/account/second-factor/sign-in/"
        assert other.get("/")["Location"].startswith("/account/sign-in/")
        assert other.post("/account/second-factor/sign-in/", {"code": code}).status_code == expected
    stored = [row[0]["secret"] for row in _factors() if "secret" in row[0]]
    assert stored
    assert secret not in stored[0]


def _factors() -> list[tuple[dict[str, str]]]:
    from allauth.mfa.models import Authenticator

    return list(Authenticator.objects.values_list("data"))


def test_ending_a_connection_signs_that_browser_out(client_of: ClientOf) -> None:
    mine = client_of("viewer", "ada")
    elsewhere = browser()
    elsewhere.force_login(User.objects.get(pseudo="ada"))
    theirs = Connection.objects.order_by("-pk")[0]
    assert elsewhere.get("/settings/").status_code == 200
    assert mine.post(f"/settings/connections/{theirs.pk}/end/").status_code == 302
    assert elsewhere.get("/settings/").status_code == 302
    assert mine.get("/settings/").status_code == 200


def test_whose_rights_are_changed_is_signed_out(client_of: ClientOf) -> None:
    admin, bob = client_of("admin", "ada"), client_of("trader", "bob")
    person = User.objects.get(pseudo="bob")
    admin.post(f"/people/{person.pk}/", {"role": "viewer", "is_active": "on"})
    assert bob.get("/settings/").status_code == 302
    assert User.objects.get(pseudo="bob").role == "viewer"
    assert '<td class="url">viewer</td><td>by ada, 127.0.0.1</td>' in admin.get("/people/").content.decode()
    admin.post(f"/people/{person.pk}/", {"role": "viewer"})
    assert browser().post("/account/sign-in/", {"login": "bob", "password": PASSWORD})["Location"] != "/"


def test_nobody_changes_his_own_rights(client_of: ClientOf) -> None:
    admin = client_of("admin", "ada")
    admin.post(f"/people/{User.objects.get(pseudo='ada').pk}/", {"role": "trader", "is_active": "on"})
    assert User.objects.get(pseudo="ada").role == "admin"


def test_the_missions_tables_have_their_names_and_columns(client_of: ClientOf, site: str) -> None:
    client_of("viewer", "ada")
    user = User.objects.get(pseudo="ada")
    Connection.objects.all().delete()
    start = timezone.now() - timedelta(hours=5)
    for hours in (1, 3):
        Connection.objects.create(user=user, started_at=start, ended_at=start + timedelta(hours=hours))
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute('SELECT "ID_account", "AvgConnectionTime", "nbConnections" FROM dashboard.user_log_info')
        # Of one hour and three: two on average.
        assert cursor.fetchall() == [(user.pk, timedelta(hours=2), 2)]
        cursor.execute(
            'SELECT "UserID", "Pseudo", "Email", "DateCreationAccount", "CountryCode", "Address", "Name", "Surname", '
            '"LastConnection" FROM dashboard.user_logging_info'
        )
        assert cursor.fetchone()[:2] == (user.pk, "ada")


def test_signing_in_is_counted_in_both_of_the_missions_tables(client_of: ClientOf) -> None:
    client_of("viewer", "ada", second_factor=False)
    Connection.objects.all().delete()
    before = timezone.now()
    for _ in range(2):
        browser().post("/account/sign-in/", {"login": "ada", "password": PASSWORD})
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT i."Pseudo", i."LastConnection", l."nbConnections", l."LastConnection", l."AvgConnectionTime" '
            'FROM dashboard.user_logging_info AS i JOIN dashboard.user_log_info AS l ON l."ID_account" = i."UserID"'
        )
        [(name, last, connections, last_of_view, average)] = cursor.fetchall()
    assert (name, connections) == ("ada", 2)
    assert before < last <= timezone.now()
    assert abs(last - last_of_view) < timedelta(seconds=5)
    assert timedelta(0) <= average < timedelta(minutes=1)


def test_of_two_tabs_of_a_profile_the_later_one_is_told_and_loses_nothing(client_of: ClientOf) -> None:
    client = client_of("viewer", "ada")
    page = client.get("/settings/").content.decode()
    seen = page.partition('name="seen" value="')[2].partition('"')[0]
    assert client.post("/settings/", {"seen": seen, "name": "Ada", "address": "1 <b>Rue</b>"}).status_code == 302
    answer = client.post("/settings/", {"seen": seen, "name": "Augusta"})
    assert answer.status_code == 409
    told = answer.content.decode()
    assert "1 &lt;b&gt;Rue&lt;/b&gt;" in told.partition("Changed in another tab")[2]
    assert 'value="Augusta"' in told
    assert User.objects.get(pseudo="ada").name == "Ada"
    seen = told.partition('name="seen" value="')[2].partition('"')[0]
    assert client.post("/settings/", {"seen": seen, "name": "Augusta"}).status_code == 302
    assert User.objects.get(pseudo="ada").name == "Augusta"


def test_of_two_admins_the_later_one_changes_nothing_that_he_did_not_see(client_of: ClientOf) -> None:
    first, second = client_of("admin", "ada"), client_of("admin", "eve")
    client_of("viewer", "bob")
    place = f"/people/{User.objects.get(pseudo='bob').pk}/"
    sent = {"seen": "viewer/True", "is_active": "on"}
    assert '"viewer/True"' in first.get("/people/").content.decode()
    first.post(place, {**sent, "role": "analyst"})
    second.post(place, {**sent, "role": "trader"})
    assert "Nothing was saved: look again." in second.get("/people/").content.decode()
    assert User.objects.get(pseudo="bob").role == "analyst"


def test_hostile_text_of_a_person_is_text_where_it_is_shown(client_of: ClientOf) -> None:
    hostile = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}{% load x %}", "\u202eevil")
    client_of("viewer", "ada", second_factor=False)
    admin = client_of("admin", "eve")
    for text in hostile:
        client = Client(SERVER_NAME="127.0.0.1", HTTP_USER_AGENT=text)
        assert client.post("/account/sign-in/", {"login": text, "password": text}).status_code == 200
        client.post("/account/sign-in/", {"login": "ada", "password": PASSWORD})
        fields = {"name": text, "surname": text, "address": text, "email": "a@b.example"}
        assert client.post("/settings/", fields).status_code == 302
        assert client.post("/settings/", {**fields, "country_code": text, "email": text}).status_code == 200
        for page in (client.get("/settings/"), admin.get("/people/"), client.get("/account/sign-in/?next=" + text)):
            shown = page.content.decode()
            assert "<script>alert" not in shown
            assert "<img src=x" not in shown
            assert "49" not in re.findall(r"{{ 7\*7 }}|>49<", shown)
        assert admin.post("/people/invitations/", {"role": text}).status_code == 302
    assert not Invitation.objects.exists()


def test_passwords_are_hashed_with_argon2(client_of: ClientOf) -> None:
    client_of("viewer", "ada")
    assert User.objects.get(pseudo="ada").password.startswith("argon2$argon2id$")


@pytest.mark.parametrize(
    ("name", "password", "said"),
    [
        ("ada", "short", "at least 10"),
        ("bob", PASSWORD, "already exists"),
        ("Bob", PASSWORD, "but for its capitals"),  # of two spellings neither could sign in
        ("a b", PASSWORD, "valid username"),
        ("carlotta1", "carlotta11", "similar"),
        ("ada", "1234567890", "common"),
    ],
)
def test_an_account_from_the_terminal_keeps_the_rules(site: str, name: str, password: str, said: str) -> None:
    User.objects.create_user("bob", PASSWORD, role=Role.VIEWER)
    with pytest.raises(ValidationError, match=said):
        create_account(name, password, role="viewer", by="me")


def test_an_account_from_the_terminal_can_sign_in(site: str) -> None:
    assert create_account("ada", PASSWORD, role="analyst", by="me (terminal)").role == "analyst"
    assert list(AccountChange.objects.values_list("by", "person__pseudo", "what")) == [
        ("me (terminal)", "ada", "made as analyst")
    ]
    assert browser().post("/account/sign-in/", {"login": "ada", "password": PASSWORD})["Location"] == "/"


def test_the_profile_refuses_what_is_no_country(client_of: ClientOf) -> None:
    client = client_of("viewer", "ada")
    assert client.post("/settings/", {"country_code": "fr"}).status_code == 200
    assert client.post("/settings/", {"country_code": "FR", "name": "Ada"}).status_code == 302
    assert User.objects.get(pseudo="ada").country_code == "FR"
