"""Each way to change an account leaves a row with who did it, and the page says whether the rows are whole."""

import json
from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest
from allauth.mfa.models import Authenticator
from django.db import connection, connections
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard.accounts import people, second_factor
from dashboard.accounts.changes import record_change
from dashboard.accounts.models import AccountChange, Connection, User
from dashboard.prepare import prepare_tables
from strades_pipelines.database.audit import verify_account_changes
from strades_pipelines.database.connection import connect
from strades_pipelines.installation.database_checks import check_account_changes
from tests.dashboard.authenticator import Authenticator as Device
from tests.dashboard.conftest import PASSWORD, ClientOf, hashed_password, totp

OTHER_PASSWORD = "another horse 43"


def change_password(ada: Client) -> None:
    ada.post("/account/password/", {"oldpassword": PASSWORD, "password1": OTHER_PASSWORD, "password2": OTHER_PASSWORD})


def set_password(ada: Client) -> None:
    User.objects.filter(pseudo="ada").update(password="!")
    ada.force_login(User.objects.get(pseudo="ada"))
    with override_settings(ACCOUNT_REAUTHENTICATION_REQUIRED=False):  # test_openid.py has how such a person confirms
        ada.post("/account/password/new/", {"password1": OTHER_PASSWORD, "password2": OTHER_PASSWORD})


def add_app(ada: Client) -> None:
    ada.get("/account/second-factor/app/")
    secret = ada.session["mfa.totp.secret"]
    ada.post("/account/second-factor/app/", {"code": totp(secret)})


def remove_app(ada: Client) -> None:
    add_app(ada)
    ada.post("/account/second-factor/app/remove/")


def add_passkey(ada: Client) -> None:
    ada.get("/account/second-factor/passkeys/new/", SERVER_NAME="localhost")
    made = Device(User.objects.get(pseudo="ada").pk).make(ada.session["mfa.webauthn.state"]["challenge"])
    sent = {"name": "phone", "credential": json.dumps(made)}
    ada.post("/account/second-factor/passkeys/new/", sent, SERVER_NAME="localhost")


def remove_passkey(ada: Client) -> None:
    add_passkey(ada)
    ada.post(f"/account/second-factor/passkeys/{Authenticator.objects.get(type='webauthn').pk}/remove/")


def new_codes(ada: Client) -> None:
    add_app(ada)
    ada.post("/account/second-factor/codes/new/")


def end_connection(ada: Client) -> None:
    other = Connection.objects.create(user=User.objects.get(pseudo="ada"))
    ada.post(f"/settings/connections/{other.pk}/end/")
    ada.post(f"/settings/connections/{other.pk}/end/")  # it is over already: no second row


def make_address(ada: Client) -> None:
    ada.post("/calendar/new/")


def revoke_address(ada: Client) -> None:
    make_address(ada)
    ada.post("/calendar/1/revoke/")


def edit_profile(ada: Client) -> None:
    sent = {"name": "Ada", "email": "ada@example.org"}
    for _ in range(2):  # the second time nothing changes: no second row
        ada.post("/settings/", sent)


def invite(ada: Client) -> None:
    User.objects.filter(pseudo="ada").update(role="admin")
    add_app(ada)
    ada.post("/people/invitations/", {"role": "analyst"})


def change_role(ada: Client) -> None:
    User.objects.filter(pseudo="ada").update(role="admin")
    bob = User.objects.create(pseudo="bob", password=hashed_password())
    add_app(ada)
    ada.post(f"/people/{bob.pk}/", {"role": "analyst", "is_active": "on"})


def switch_off(ada: Client) -> None:
    User.objects.filter(pseudo="ada").update(role="admin")
    bob = User.objects.create(pseudo="bob", password=hashed_password())
    add_app(ada)
    ada.post(f"/people/{bob.pk}/", {"role": "viewer"})


ADDED = [("ada", "ada", "authenticator app added"), ("ada", "ada", "recovery codes added")]
CHANGES: dict[Callable[[Client], None], list[tuple[str, str, str]]] = {
    change_password: [("ada", "ada", "password changed")],
    set_password: [("ada", "ada", "password changed")],
    remove_app: [*ADDED, ("ada", "ada", "authenticator app removed"), ("ada", "ada", "recovery codes removed")],
    remove_passkey: [
        ("ada", "ada", "passkey added"), ("ada", "ada", "recovery codes added"), ("ada", "ada", "passkey removed"),
        ("ada", "ada", "recovery codes removed"),
    ],
    new_codes: [*ADDED, ("ada", "ada", "recovery codes removed"), ("ada", "ada", "recovery codes added")],
    end_connection: [("ada", "ada", "connection ended")],
    edit_profile: [("ada", "ada", "profile: name, email")],
    revoke_address: [("ada", "ada", "calendar address made"), ("ada", "ada", "calendar address revoked")],
    invite: [*ADDED, ("ada", "ada", "invitation made for a new analyst")],
    change_role: [*ADDED, ("ada", "bob", "analyst")],
    switch_off: [*ADDED, ("ada", "bob", "viewer, may not sign in")],
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_each_way_to_change_an_account_leaves_a_row_with_who_did_it(
    client_of: ClientOf, site: str, change: Callable[[Client], None]
) -> None:
    ada = client_of("viewer", "ada", second_factor=False)
    ada.post("/account/again/", {"password": PASSWORD})
    change(ada)
    rows = AccountChange.objects.order_by("sequence")
    assert list(rows.values_list("by", "person__pseudo", "what")) == CHANGES[change]
    assert {row.address for row in rows} == {"127.0.0.1"}
    with connect(site) as opened:
        assert verify_account_changes(opened).faults == ()


def test_a_change_by_another_lets_foreign_keys_of_the_account_be_checked(
    client_of: ClientOf, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that ada adds waits, at its commit, for the lock of FOREIGN KEY checks; with NOWAIT it fails instead."""
    admin, _ada = client_of("admin"), client_of("viewer", "ada")
    ada = User.objects.get(pseudo="ada")
    checked = []

    def check_key(_connections: object) -> None:
        with psycopg.connect(site) as other:
            query = 'SELECT 1 FROM dashboard.user_logging_info WHERE "UserID" = %s FOR KEY SHARE NOWAIT'
            checked.append(other.execute(query, [ada.pk]).fetchone())

    for module in (people, second_factor):
        monkeypatch.setattr(module, "end", check_key)
    admin.post(f"/people/{ada.pk}/", {"role": "trader", "is_active": "on"})
    second_factor.remove_second_factor("ada", by="a test (terminal)")
    assert checked == [(1,), (1,)]


def test_rows_of_before_are_copied_in_their_order_and_chained(site: str) -> None:
    ada = User.objects.create(pseudo="ada", password="!")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE account_changes (id bigint, at timestamptz, by text, person_id bigint, what text)")
        old = [(n, timezone.now() - timedelta(days=9 - n), "me", ada.pk, f"change {n}") for n in (2, 1, 3)]
        cursor.executemany("INSERT INTO account_changes VALUES (%s, %s, %s, %s, %s)", old)
        cursor.execute("DELETE FROM django_migrations WHERE app = 'accounts' AND name = '0004_audit'")
    prepare_tables()
    prepare_tables()
    kept = [(change.what, change.at) for change in AccountChange.objects.order_by("sequence")]
    assert kept == [(row[4], row[1]) for row in sorted(old)]
    assert "account_changes" not in connection.introspection.table_names()
    with connect(site) as opened:
        assert verify_account_changes(opened).faults == ()


def test_the_page_and_the_doctor_say_whether_the_rows_are_whole(client_of: ClientOf, site: str, own_world: str) -> None:
    admin = client_of("admin")
    for number in range(22):
        record_change(User.objects.get(), f"change {number}", by="me (terminal)")
    page = admin.get("/people/").content.decode()
    assert "22 rows, whole and unchanged since" in page
    assert page.count("by me (terminal)") == 20
    assert '<td class="url">change 0</td>' in admin.get("/people/?before=3").content.decode()
    assert admin.get("/people/?before=x").status_code == 200
    assert check_account_changes().startswith("22 rows, whole since 20")
    with psycopg.connect(site, autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute("UPDATE audit.account_changes SET changed_by = 'eve' WHERE sequence = 5")
    with CaptureQueriesContext(connection) as own, CaptureQueriesContext(connections["layers"]) as layers:
        assert "Somebody touched these rows: 1 fault." in admin.get("/people/").content.decode()
    assert len(own) + len(layers) <= 12
    with pytest.raises(RuntimeError, match=r"row 5 .* its hash is another; compare the table with a backup's"):
        check_account_changes()
