"""Signing in through an OpenID provider, over real HTTP: only a true proof lets somebody in, and only as himself."""

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.core.cache import cache
from django.test import Client, override_settings

from dashboard.accounts import bounded_session
from dashboard.accounts.models import AccountChange, Connection, Invitation, User
from dashboard.accounts.roles import Role
from dashboard.settings import openid_providers
from strades_pipelines.settings import Settings, SettingsError, settings
from strades_pipelines.system.child_environment import for_dashboard, without_secrets
from tests.dashboard.conftest import PASSWORD, ClientOf
from tests.dashboard.openid_provider import CLIENT, SECRET, Provider, make_key, provider_running, query_of

ISSUER = "https://id.example.org"


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    """One server for the file."""
    with provider_running() as provider:
        yield provider


@pytest.fixture
def provider(running: Provider, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A provider that the settings name; an admin has an account, everybody may sign up."""
    running.signing_key, running.algorithm, running.is_down = running.key, "RS256", False
    running.claims, running.discovery = {"preferred_username": "tom@example.org", "email": "tom@example.org"}, {}
    running.tokens, running.endless, running.broken, running.moved_to = {}, None, b"", ""
    client_of("admin", "ada")
    User.objects.filter(pseudo="ada").update(email="ada@example.org")
    monkeypatch.setenv("STRADES_DASHBOARD_SIGNUP", "open")
    settings.cache_clear()
    named = Settings(
        openid_issuer=running.url, openid_client_id=CLIENT, openid_client_secret=SECRET, openid_name="Keys & Co"
    )
    with override_settings(SOCIALACCOUNT_PROVIDERS=openid_providers(named)):
        yield running


def visitor() -> Client:
    """A browser that is not signed in."""
    return Client(SERVER_NAME="127.0.0.1")


def way_there(client: Client, path: str = "/account/openid/", **fields: str) -> str:
    """The provider's address that the browser is led to."""
    page = client.post(path, fields)
    assert page.status_code == 200, page.content.decode()
    address: str = page["Refresh"].partition("url=")[2]
    assert address == unescape(re.findall(r'class="button primary" href="([^"]+)"', page.content.decode())[0])
    return address


def sign_in(client: Client, provider: Provider, path: str = "/account/openid/", **fields: str) -> Any:
    """Go there and come back; the answer to coming back."""
    back = urlsplit(provider.authorize(query_of(way_there(client, path, **fields))))
    return client.get(f"{back.path}?{back.query}")


def test_without_the_setting_there_is_no_button_and_no_page(client_of: ClientOf) -> None:
    client_of("viewer")
    assert "/account/openid/" not in visitor().get("/account/sign-in/").content.decode()
    for path in ("/account/openid/", "/account/openid/connect/"):
        assert client_of("viewer", path).post(path).status_code in (302, 404)
    assert visitor().post("/account/openid/").status_code == 404
    assert visitor().get("/account/openid/callback/?code=x&state=y").status_code == 404


def test_who_is_new_gets_an_account_of_a_viewer_and_is_the_same_the_next_time(provider: Provider) -> None:
    client = visitor()
    assert "Sign in with Keys &amp; Co" in client.get("/account/sign-in/").content.decode()
    assert sign_in(client, provider)["Location"] == "/"
    [tom] = User.objects.filter(pseudo="tom")
    assert (tom.role, tom.email, tom.has_usable_password()) == ("viewer", "tom@example.org", False)
    provider.claims = {"preferred_username": "thomas"}
    again = visitor()
    assert sign_in(again, provider, next="/news/")["Location"] == "/news/"
    assert again.get("/settings/").status_code == 200
    assert User.objects.count() == 2
    # Each is a sign-in of the mission's view, and what the provider sent is not kept.
    assert Connection.objects.filter(user=tom).count() == 2
    assert [account.extra_data for account in SocialAccount.objects.all()] == [{"name": "thomas"}]
    assert not SocialToken.objects.exists()
    assert not EmailAddress.objects.exists()
    assert AccountChange.objects.get(person=tom).what == "made as viewer"


def other_key(provider: Provider) -> None:
    """Sign with a key that the provider does not publish."""
    provider.signing_key = make_key()


LIES: dict[str, Callable[[Provider], Any]] = {
    "another issuer": lambda provider: provider.claims.update(iss="https://evil.example"),
    "another audience": lambda provider: provider.claims.update(aud="another-client"),
    "for several, handed to another": lambda provider: provider.claims.update(aud=[CLIENT, "b"], azp="b"),
    "expired": lambda provider: provider.claims.update(exp=int(time.time()) - 60),
    "without an end": lambda provider: provider.claims.update(exp=None),
    "of another sign-in": lambda provider: provider.claims.update(nonce="0" * 64),
    "without a nonce": lambda provider: provider.claims.update(nonce=None),
    "nobody's": lambda provider: provider.claims.update(sub=None),
    "signed by another": other_key,
    "signed with a password": lambda provider: setattr(provider, "algorithm", "HS256"),
    "not signed": lambda provider: setattr(provider, "algorithm", None),
    "a provider of another name": lambda provider: provider.discovery.update(issuer="https://evil.example"),
    "no keys": lambda provider: provider.discovery.update(jwks_uri=f"{provider.url}/nothing"),
}


def test_a_lie_of_any_kind_signs_nobody_in_and_says_so(provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    for lie, tell in LIES.items():
        client = visitor()
        there = query_of(way_there(client))
        before = dict(provider.claims)
        tell(provider)
        back = urlsplit(provider.authorize(there))
        answer = client.get(f"{back.path}?{back.query}")
        assert answer.status_code in (401, 503), lie
        assert "You are not signed in" in answer.content.decode(), lie
        assert client.get("/settings/").status_code == 302, lie
        provider.claims, provider.discovery = before, {}
        provider.signing_key, provider.algorithm = provider.key, "RS256"
    assert not User.objects.exclude(pseudo="ada").exists()
    assert SECRET not in caplog.text


# Answers that no provider gives, and that their readers stumble over.
DEEP: Any = []
for _level in range(400):
    DEEP = [DEEP]
HOSTILE_DISCOVERY = (
    *([], "", 1, DEEP, {"jwks_uri": 1}, {"issuer": ["x"] * 1000}, {"token_endpoint_auth_methods_supported": 1}),
    *({"authorization_endpoint": text} for text in ("javascript:alert(1)", "http://x/\r\nSet-Cookie: a=b", "http://[")),
    *({"token_endpoint": text} for text in ("file:///etc/passwd", "http://\0", "http://\ud800.example", "//x")),
)
HOSTILE_TOKENS: tuple[Any, ...] = (
    *([], "access_token", 1, {"expires_in": "soon"}, {"expires_in": float("inf")}),
    *(
        {"expires_in": 10**30},
        {"id_token": None},
        {"id_token": "a.b.c"},
        {"id_token": "\ud800"},
        {"id_token": {"a": DEEP}},
    ),
)
HOSTILE_CLAIMS = (
    *({"sub": sub} for sub in ("a" * 10_000, "\0", "a\ud800", "", 42, ["42"], {"a": 1}, True)),
    *(
        {"exp": float("inf")},
        {"iat": float("nan")},
        {"iat": 10**400},
        {"aud": [1, None]},
        {"nonce": {"a": 1}},
        {"azp": []},
    ),
)


def test_answers_that_nobody_can_read_sign_nobody_in_and_are_said(provider: Provider) -> None:
    sane = dict(provider.claims)
    for hostile in (*HOSTILE_DISCOVERY, *HOSTILE_TOKENS, *HOSTILE_CLAIMS):
        cache.clear()  # thirty attempts a minute
        client = visitor()
        away = client.post("/account/openid/")
        there = query_of(away["Refresh"].partition("url=")[2])
        if hostile in HOSTILE_CLAIMS:
            provider.claims = {**sane, **hostile}
        elif hostile in HOSTILE_TOKENS:
            provider.tokens = hostile
        else:
            provider.discovery = hostile
            asked = visitor().post("/account/openid/")
            assert "You are not signed in" in asked.content.decode() or asked.status_code == 200, hostile
            assert "javascript:" not in asked.content.decode()
        back = urlsplit(provider.authorize(there))
        answer = client.get(f"{back.path}?{back.query}")
        assert answer.status_code in (401, 503), str(hostile)[:80]
        assert "You are not signed in" in answer.content.decode(), str(hostile)[:80]
        provider.claims, provider.tokens, provider.discovery = sane, {}, {}
    assert not User.objects.exclude(pseudo="ada").exists()


@pytest.mark.parametrize("moved_to", ["", "http://127.0.0.1:1"])
@pytest.mark.parametrize(("piece", "pause"), [(b" " * 65_536, 0.0), (b" ", 0.02)])
def test_an_answer_without_an_end_is_given_up_and_said(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, piece: bytes, pause: float, moved_to: str
) -> None:
    monkeypatch.setattr(bounded_session, "MOST_SECONDS", 10.0 if len(piece) > 1 else 0.3)
    provider.endless, provider.taken, provider.moved_to = (piece, pause), 0, moved_to
    try:
        before = time.monotonic()
        answer = visitor().post("/account/openid/")
        assert time.monotonic() - before < 8
    finally:
        provider.endless, provider.moved_to = None, ""
    assert answer.status_code == 503
    assert "You are not signed in" in answer.content.decode()
    assert provider.taken < 16 * 2**20  # what the buffers of sockets hold beside the first MiB


def test_an_answer_of_a_mebibyte_is_read_and_one_byte_more_is_not(provider: Provider) -> None:
    whole = len(json.dumps(provider.document("/.well-known/openid-configuration") | {"pad": ""}))
    for more, status in ((0, 200), (1, 503)):
        provider.discovery = {"pad": "x" * (bounded_session.MOST_BYTES - whole + more)}
        assert visitor().post("/account/openid/").status_code == status


@pytest.mark.parametrize("broken", [
    b"Content-Length: 100\r\n\r\n{",  # 1 byte of 100, then it hangs up
    b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",  # within a chunk of 5
    b"Content-Encoding: gzip\r\n\r\nno gzip at all",
])  # fmt: skip
def test_an_answer_that_breaks_off_is_a_provider_that_is_down(provider: Provider, broken: bytes) -> None:
    provider.broken = broken
    answer = visitor().post("/account/openid/")
    assert answer.status_code == 503
    assert "You are not signed in" in answer.content.decode()


def test_an_answer_that_stalls_is_a_provider_that_is_down(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next byte takes 1 s, the wait for it ends after 0.2 s."""
    monkeypatch.setattr(bounded_session, "TIMEOUT_SECONDS", 0.2)
    provider.endless = b" ", 1.0
    try:
        answer = visitor().post("/account/openid/")
    finally:
        provider.endless = None
    assert answer.status_code == 503


def test_no_redirect_of_the_provider_is_followed(provider: Provider) -> None:
    with provider_running() as other:
        provider.moved_to = other.url
        answer = visitor().post("/account/openid/")
        provider.moved_to = ""
        assert answer.status_code in (401, 503)
        assert other.asked == 0


def test_names_that_no_database_takes_are_taken_without_the_letters_that_it_refuses(provider: Provider) -> None:
    text = "a\0b\ud800c\u202ed"
    names = ("preferred_username", "name", "given_name", "family_name")
    provider.claims = {**dict.fromkeys(names, text), "email": "a@\ud800b.example"}
    assert sign_in(visitor(), provider)["Location"] == "/"
    [made] = User.objects.exclude(pseudo="ada")
    assert (made.pseudo, made.name, made.surname, made.email) == ("abcd", "abcd", "abcd", "a@b.example")
    provider.claims = {**{name: ["x" * 10_000] for name in names}, "sub": "43", "email": {"a": 1}}
    assert sign_in(visitor(), provider)["Location"] == "/"
    assert User.objects.count() == 3


def test_who_has_no_password_sets_one_after_confirming_there(provider: Provider) -> None:
    client = visitor()
    sign_in(client, provider)
    assert client.get("/account/password/")["Location"] == "/account/password/new/"
    assert client.get("/account/password/new/")["Location"].startswith("/account/openid/again/")
    assert sign_in(client, provider, next="/account/password/new/")["Location"] == "/account/password/new/"
    assert client.get("/account/password/new/").status_code == 200
    for password, status in (("short", 200), (PASSWORD, 302)):
        sent = {"password1": password, "password2": password}
        assert client.post("/account/password/new/", sent).status_code == status
    again = visitor()
    again.post("/account/sign-in/", {"login": "tom", "password": PASSWORD})
    assert again.get("/settings/").status_code == 200
    assert again.get("/account/password/new/")["Location"] == "/account/password/"


def test_what_comes_back_without_having_left_signs_nobody_in(provider: Provider) -> None:
    client, attacker = visitor(), visitor()
    mine = urlsplit(provider.authorize(query_of(way_there(attacker))))
    # The attacker's answer in a browser that did not ask, and one's own answer twice.
    for query in (mine.query, "code=x", "state=x", "error=access_denied", "code=%00&state=%00"):
        assert client.get(f"/account/openid/callback/?{query}").status_code == 401
    assert attacker.get(f"/account/openid/callback/?{mine.query}").status_code == 302
    assert attacker.get(f"/account/openid/callback/?{mine.query}").status_code == 401
    assert client.get("/settings/").status_code == 302
    cancelled = visitor()
    state = query_of(way_there(cancelled))["state"]
    page = cancelled.get(f"/account/openid/callback/?error=access_denied&state={state}")
    assert "It was cancelled at Keys &amp; Co." in page.content.decode()


@pytest.mark.parametrize("is_verified", [True, False])
def test_an_address_that_belongs_to_an_account_takes_nothing_over(provider: Provider, is_verified: bool) -> None:
    provider.claims = {"preferred_username": "ada", "email": "ada@example.org", "email_verified": is_verified}
    client = visitor()
    assert sign_in(client, provider)["Location"] == "/"
    assert client.get("/people/").status_code == 403
    assert list(User.objects.order_by("pk").values_list("pseudo", "role")) == [("ada", "admin"), ("ada-2", "viewer")]


@pytest.mark.parametrize(("mode", "invited", "made"), [
    ("off", False, None), ("off", True, None), ("invitation", False, None), ("invitation", True, "trader"),
])  # fmt: skip
def test_who_may_sign_up_is_the_same_setting(
    mode: str, invited: bool, made: str | None, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRADES_DASHBOARD_SIGNUP", mode)
    settings.cache_clear()
    client = visitor()
    if invited:
        _row, token = Invitation.issue(role=Role.TRADER, by=User.objects.get(pseudo="ada"))
        client.get(f"/invitation/{token}/")
    sign_in(client, provider)
    assert list(User.objects.filter(pseudo="tom").values_list("role", flat=True)) == ([made] if made else [])
    assert (client.get("/settings/").status_code == 200) is bool(made)
    if made:
        assert Invitation.objects.get().used_by.pseudo == "tom"


def test_the_first_account_is_never_made_so(provider: Provider) -> None:
    User.objects.all().delete()
    assert "No new accounts" in sign_in(visitor(), provider).content.decode()
    assert not User.objects.exists()


def test_a_second_factor_is_asked_all_the_same(provider: Provider, client_of: ClientOf) -> None:
    sign_in(visitor(), provider)
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

    TOTP.activate(User.objects.get(pseudo="tom"), generate_totp_secret())
    client = visitor()
    assert sign_in(client, provider)["Location"] == "/account/second-factor/sign-in/"
    assert client.get("/settings/").status_code == 302


def test_an_account_is_linked_and_unlinked_by_whom_it_is_of(provider: Provider) -> None:
    client, path = visitor(), "/account/openid/connect/"
    User.objects.create_user("bob", PASSWORD, role=Role.ANALYST)
    client.post("/account/sign-in/", {"login": "bob", "password": PASSWORD})
    assert client.post(path)["Location"].startswith("/account/again/")
    client.post("/account/again/", {"password": PASSWORD})
    assert sign_in(client, provider, path)["Location"] == "/settings/"
    assert "tom@example.org signs in to this account there." in client.get("/settings/").content.decode()
    other = visitor()
    sign_in(other, provider)
    assert "bob · analyst" in other.get("/settings/").content.decode()
    # What is somebody's already is not linked to another account.
    eve = visitor()
    User.objects.create_user("eve", PASSWORD, role=Role.VIEWER)
    eve.post("/account/sign-in/", {"login": "eve", "password": PASSWORD})
    eve.post("/account/again/", {"password": PASSWORD})
    sign_in(eve, provider, path)
    assert SocialAccount.objects.get().user.pseudo == "bob"
    assert "signs in to another account here" in eve.get("/settings/").content.decode()
    assert eve.post("/account/openid/disconnect/").status_code == 404
    client.post("/account/openid/disconnect/")
    assert not SocialAccount.objects.exists()
    whats = AccountChange.objects.filter(person__pseudo="bob").order_by("pk").values_list("by", "what")
    assert list(whats) == [("bob", "linked to the OpenID provider"), ("bob", "unlinked from the OpenID provider")]


def test_a_second_account_there_is_not_linked_to_the_same_account_also_from_two_tabs(provider: Provider) -> None:
    client, path = visitor(), "/account/openid/connect/"
    bob = User.objects.create_user("bob", PASSWORD, role=Role.ANALYST)
    client.post("/account/sign-in/", {"login": "bob", "password": PASSWORD})
    client.post("/account/again/", {"password": PASSWORD})
    # What signed in under an issuer that the settings named earlier signs in no more, and is in nobody's way.
    SocialAccount.objects.create(user=bob, provider="https://old.example", uid="7", extra_data={"name": "old bob"})
    assert "old bob" not in client.get("/settings/").content.decode()
    tabs = [query_of(way_there(client, path)) for _ in range(2)]
    for sub, there in zip(("42", "43"), tabs, strict=True):
        provider.claims["sub"] = sub
        back = urlsplit(provider.authorize(there))
        assert client.get(f"{back.path}?{back.query}")["Location"] == "/settings/"
    assert client.post(path)["Location"] == "/settings/"
    assert client.get("/settings/").content.decode().count("Remove that link first.") == 2
    assert list(SocialAccount.objects.order_by("pk").values_list("uid", flat=True)) == ["7", "42"]
    # Two from before this was so: both are shown, and both go.
    SocialAccount.objects.create(user=bob, provider=provider.url, uid="43", extra_data={"name": "bob 43"})
    assert client.get("/settings/").content.decode().count("signs in to this account there") == 2
    assert client.post("/account/openid/disconnect/").status_code == 302
    assert [account.uid for account in SocialAccount.objects.all()] == ["7"]


def test_who_has_no_password_confirms_there_and_cannot_lock_himself_out(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = visitor()
    provider.claims["auth_time"] = int(time.time())
    sign_in(client, provider)
    del provider.claims["auth_time"]
    assert client.get("/account/second-factor/app/").status_code == 200  # signed in a moment ago
    client.post("/account/openid/disconnect/")
    assert SocialAccount.objects.exists()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + timedelta(minutes=6).total_seconds())
    asked = client.get("/account/second-factor/app/")
    assert asked["Location"].startswith("/account/openid/again/")
    page = client.get(asked["Location"]).content.decode()
    fields = {"next": re.findall(r'name="next" value="([^"]+)"', page)[-1]}
    there = query_of(way_there(client, **fields))
    assert (there["prompt"], there["max_age"]) == ("login", "0")
    provider.claims.update(iat=int(now), exp=int(now) + 600)  # the clock of JWT's reader is another one
    back = urlsplit(provider.authorize(there))
    assert client.get(f"{back.path}?{back.query}")["Location"] == "/account/second-factor/app/"
    assert client.get("/account/second-factor/app/").status_code == 200


def test_what_the_provider_answers_without_asking_anybody_confirms_nothing(provider: Provider) -> None:
    """As with a session of the provider's own, where whoever sits at the browser takes `max_age` out of the address."""
    now = int(time.time())
    for auth_time in (None, now - 3600, now + 3600, 1e300, "now", True):
        provider.claims["auth_time"] = auth_time
        client = visitor()
        sign_in(client, provider)
        assert client.get("/settings/").status_code == 200, auth_time
        assert client.get("/account/second-factor/app/")["Location"].startswith("/account/openid/again/"), auth_time
        answer = sign_in(client, provider, next="/account/second-factor/app/")
        assert answer.status_code == 401, auth_time
        assert "Keys &amp; Co did not ask you to sign in again" in answer.content.decode(), auth_time
        assert client.get("/account/second-factor/app/").status_code == 302, auth_time


def test_what_a_person_proves_later_in_another_browser_proves_nothing_in_this_one(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, phone = visitor(), visitor()
    sign_in(here, provider)  # nobody was asked
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60)
    provider.claims.update(auth_time=int(now) + 60, iat=int(now), exp=int(now) + 600)
    sign_in(phone, provider)
    assert phone.get("/account/second-factor/app/").status_code == 200
    assert here.get("/account/second-factor/app/")["Location"].startswith("/account/openid/again/")


def test_a_provider_that_does_not_answer_is_said(provider: Provider) -> None:
    provider.is_down = True
    page = visitor().post("/account/openid/")
    assert page.status_code == 503
    assert "Keys &amp; Co does not answer" in page.content.decode()
    # Each is a session, and a question to the provider: no more than attempts to sign in.
    assert [visitor().post("/account/openid/").status_code for _ in range(30)] == [503] * 29 + [429]


@pytest.mark.parametrize(
    "issuer", ["http://id.example.org", "ftp://x", "https://", "https://a@b/", "https://id.example.org/?x=1", "x"]
)
def test_an_issuer_that_is_none_is_refused(issuer: str) -> None:
    with pytest.raises(ValueError, match="expected https://host"):
        Settings(openid_issuer=issuer)


def test_an_issuer_without_a_secret_is_a_fault_and_the_secret_is_the_dashboards_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(SettingsError, match="STRADES_OPENID_CLIENT_SECRET"):
        openid_providers(Settings(openid_issuer=ISSUER, openid_client_id=CLIENT))
    monkeypatch.setenv("STRADES_OPENID_CLIENT_SECRET", SECRET)
    assert SECRET not in repr(Settings(openid_issuer=ISSUER))
    whole = {"STRADES_OPENID_CLIENT_SECRET": SECRET}
    assert SECRET not in without_secrets(whole).values()
    assert SECRET in for_dashboard(whole, "postgresql://x").values()
