"""Each URL, each role: the table of rights is what is served, and nothing is served without it."""

import psycopg
import pytest
from django.urls import reverse

from dashboard import access
from dashboard.accounts.models import Connection, User
from dashboard.accounts.roles import Role, holders
from dashboard.core.apps import check_matrix
from tests.dashboard.conftest import ClientOf, decision_id

POSTED = {
    "live_request",
    "live_approve",
    "live_revoke",
    "choice_save",
    "data_answer",
    "preferences",
    "connection_end",
    "person_change",
    "invitation_create",
    "feed_seen",
    "profile_save",
    "digest_save",
    "contact_act",
    "contact_cards_read",
    "organization_act",
    "meeting_act",
    "meetings_read",
    "thread_act",
    "calendar_create",
    "calendar_revoke",
    "shop_state",
    "shop_ask",
    "shop_answer",
    "shop_verify",
}
RUN = "00000000-0000-4000-8000-000000000000"
ARGUMENTS = {
    "decision": ["NOPE"],
    "trace": ["NOPE"],
    "mfa_edit_webauthn": [10**6],
    "mfa_remove_webauthn": [10**6],
    "body": [1],
    "body_download": [1],
    "market": [11],
    "wallet": ["NOPE"],
    "wallet_fills": ["NOPE"],
    "wallet_equity": ["NOPE"],
    "order_cancel": ["NOPE"],
    "command": [RUN],
    "automation_request": [RUN],
    "run": [RUN],
    "run_cancel": [RUN],
    "run_again": [RUN],
    "automation_run": ["nope"],
    "automation_pause": ["nope"],
    "automation_resume": ["nope"],
    "automation_move": ["nope"],
    "calendar_revoke": [10**6],
    "calendar_feed": ["nope"],
    "shop_item": [10**6],
    "shop_state": [10**6],
    "shop_report": [10**6],
    "shop_hide": [10**6],
    "shop_ask": [10**6],
    "shop_answer": [10**6],
    "shop_bundle": [10**6],
    "shop_verify": [10**6],
    "shop_install": [10**6],
    "wallet_trades_csv": ["NOPE"],
    "wallet_returns": ["NOPE"],
    "wallet_returns_csv": ["NOPE"],
    "wallet_slippage_csv": ["NOPE"],
    "wallet_performance": ["NOPE"],
    "wallet_trades": ["NOPE"],
    "wallet_comparison": ["NOPE"],
    "wallet_verification": ["NOPE"],
    "wallet_sharing": ["NOPE"],
    "organization": [10**6],
    "organization_act": [10**6],
    "organization_join": ["nope"],
    "meeting": [10**6],
    "meeting_act": [10**6],
    "thread": [10**6],
    "thread_act": [10**6],
    "thread_export": [10**6],
    "historic_day": ["2024-01-02"],
    "table": ["records", "candles"],
    "table_row": ["records", "candles"],
    "table_export": ["records", "candles", "csv"],
    "data_record": ["candle"],
    "data_exclude": ["candles"],
    "data_restore": ["candles"],
    "data_request": ["00000000-0000-4000-8000-000000000000"],
    "data_bytes": ["00000000-0000-4000-8000-000000000000"],
    "data_answer": ["00000000-0000-4000-8000-000000000000"],
    "connection_end": [10**6],
    "person_change": [10**6],
    "invitation": ["nope"],
    "digest_confirm": ["nope"],
    "digest_stop": ["nope"],
}


def test_every_url_has_a_line_in_the_table_of_rights() -> None:
    assert check_matrix(None) == []


def test_a_url_that_nobody_spoke_of_is_an_error_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(access.MATRIX, "markets")
    assert [error.id for error in check_matrix(None)] == ["dashboard.E001"]
    assert "'markets'" in check_matrix(None)[0].msg


def test_a_right_for_a_url_that_is_gone_is_an_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(access.MATRIX, "nowhere", Role.VIEWER)
    assert [error.id for error in check_matrix(None)] == ["dashboard.E002"]


@pytest.mark.parametrize("role", [None, *Role])
def test_each_role_opens_what_the_table_says(role: Role | None, client_of: ClientOf) -> None:
    client_of("viewer", "somebody")  # so that this is not the first visit
    client = client_of(role)
    wrong = []
    for name, needed in access.MATRIX.items():
        if name == "account_logout":
            continue  # it would sign the browser out
        url = reverse(name, args=ARGUMENTS.get(name, []))
        response = client.post(url) if name in POSTED else client.get(url)
        if needed is None:
            refused = response.status_code == 403
        elif role is None:
            refused = not (response.status_code == 302 and response["Location"].startswith("/account/sign-in/"))
        else:
            refused = (response.status_code == 403) == (role in holders(needed))
        if refused:
            wrong.append((name, response.status_code))
    assert wrong == []


def test_an_admin_without_a_second_factor_is_led_to_one(client_of: ClientOf) -> None:
    response = client_of("admin", second_factor=False).get("/people/")
    assert (response.status_code, response["Location"]) == (302, "/account/second-factor/app/")


def test_another_persons_connection_does_not_exist(client_of: ClientOf) -> None:
    other = client_of("viewer", "other")
    mine = client_of("admin", "ada")
    theirs = Connection.objects.get(user=User.objects.get(pseudo="other"))
    assert mine.post(f"/settings/connections/{theirs.pk}/end/").status_code == 404
    assert other.get("/").status_code == 200


def test_every_url_refuses_a_post_without_a_token(client_of: ClientOf) -> None:
    client_of("viewer", "somebody")
    client = client_of("admin", enforce_csrf_checks=True)
    names = access.MATRIX.keys()
    answers = {name: client.post(reverse(name, args=ARGUMENTS.get(name, []))).status_code for name in names}
    assert {name: status for name, status in answers.items() if status != 403} == {}


@pytest.mark.parametrize("role", [None, *Role])
def test_no_role_posts_what_it_may_not_open(role: Role | None, client_of: ClientOf) -> None:
    client_of("viewer", "somebody")
    client = client_of(role)
    for name, needed in access.MATRIX.items():
        if needed is not None and (role is None or role not in holders(needed)):
            answer = client.post(reverse(name, args=ARGUMENTS.get(name, [])))
            expected = (302, "/account/sign-in/") if role is None else (403, "")
            assert (answer.status_code, answer.get("Location", "").partition("?")[0]) == expected, name


def test_pages_change_nothing_on_get(client_of: ClientOf, traded: psycopg.Connection) -> None:
    """Each is asked by a role that may post to it: a role's 403 would say nothing of GET."""
    override = {"x-http-method-override": "POST", "x-method-override": "POST"}
    clients = {role: client_of(role, role) for role in Role}
    for name in POSTED:
        needed = access.MATRIX[name]
        client = clients[Role.ADMIN if needed is None else holders(needed)[-1]]
        path = reverse(name, args=ARGUMENTS.get(name, []))
        assert client.get(path, {"_method": "post"}, headers=override).status_code == 405, name
    client = clients[Role.TRADER]
    assert client.get(f"/decisions/{decision_id(traded)}/").status_code == 200
