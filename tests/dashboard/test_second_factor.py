"""A second factor that this home's key cannot read lets nobody in, and says how it is removed."""

import pytest
from django.test import Client, override_settings

from dashboard.accounts.models import AccountChange, User
from dashboard.accounts.second_factor import remove_second_factor
from tests.dashboard.conftest import PASSWORD, ClientOf

SIGN_IN = {"login": "tom", "password": PASSWORD}


def test_a_second_factor_of_another_home_is_named_and_only_a_terminal_removes_it(client_of: ClientOf) -> None:
    client_of("trader", "tom")
    with override_settings(SECRET_KEY="the key of another home"):
        client = Client(SERVER_NAME="127.0.0.1")
        assert client.post("/account/sign-in/", SIGN_IN)["Location"] == "/account/second-factor/sign-in/"
        page = client.post("/account/second-factor/sign-in/", {"code": "123456"})
        assert page.status_code == 409
        assert "strades dashboard removefactor NAME" in page.content.decode()
        assert client.get("/settings/")["Location"].startswith("/account/sign-in/")
        assert remove_second_factor("tom", by="me (terminal)")
        assert Client(SERVER_NAME="127.0.0.1").post("/account/sign-in/", SIGN_IN)["Location"] == "/"
    assert list(AccountChange.objects.values_list("by", "person__pseudo", "what")) == [
        ("me (terminal)", "tom", "second factor removed")
    ]


def test_whose_second_factor_is_removed_is_signed_out_everywhere(client_of: ClientOf) -> None:
    tom = client_of("trader", "tom")
    assert tom.get("/settings/").status_code == 200
    assert remove_second_factor("tom", by="me")
    assert tom.get("/settings/").status_code == 302
    assert not remove_second_factor("tom", by="me")
    assert AccountChange.objects.count() == 1
    with pytest.raises(User.DoesNotExist):
        remove_second_factor("nobody", by="me")
