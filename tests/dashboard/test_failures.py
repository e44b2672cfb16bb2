"""What is answered where no page can be made."""

import logging

import psycopg
import pytest
from django.db import OperationalError
from django.test import RequestFactory

from dashboard.core.failures import failure, is_unreachable
from tests.dashboard.conftest import ClientOf


def raised_by(error: Exception) -> OperationalError:
    """Django's error for one of psycopg."""
    outer = OperationalError(str(error))
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (psycopg.OperationalError("connection refused"), True),
        (raised_by(psycopg.OperationalError("connection refused")), True),
        (raised_by(psycopg.errors.AdminShutdown("terminating connection")), True),
        (raised_by(psycopg.errors.TooManyConnections("sorry")), True),
        (raised_by(psycopg.errors.QueryCanceled("statement timeout")), False),
        (raised_by(psycopg.errors.DiskFull("no room")), True),
        (psycopg.errors.UndefinedColumn("no such column"), False),
        (ValueError("a fault of ours"), False),
        (None, False),
    ],
)
def test_a_database_that_cannot_be_asked_is_told_from_a_query_that_it_refused(
    error: BaseException | None, expected: bool
) -> None:
    assert is_unreachable(error) is expected


@pytest.mark.parametrize(
    ("error", "status", "title"),
    [
        (raised_by(psycopg.OperationalError("connection refused")), 503, "La base de données ne répond pas"),
        (ValueError("a fault of ours"), 500, "Something went wrong"),
    ],
)
def test_the_page_says_which_it_is_and_nothing_of_the_error(
    error: Exception, status: int, title: str, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of("viewer", raise_request_exception=False)
    client.cookies["strades_language"] = "fr"

    def fail() -> None:
        raise error

    monkeypatch.setattr("dashboard.core.frame.read_installation", fail)
    logging.disable(logging.CRITICAL)
    try:
        answer = client.get("/")
    finally:
        logging.disable(logging.NOTSET)
    page = answer.content.decode()
    assert (answer.status_code, answer.get("Retry-After")) == (status, "10" if status == 503 else None)
    assert title in page
    assert str(error) not in page


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_of_what_was_sent_nothing_is_promised_and_it_is_not_sent_again(method: str) -> None:
    try:
        raise raised_by(psycopg.OperationalError("the connection broke at COMMIT"))
    except OperationalError:
        answer = failure(RequestFactory().generic(method, "/halt/"))
    page = answer.content.decode()
    assert answer.get("Refresh") == ("10" if method == "GET" else None)
    assert ("asks again by itself" in page) is (method == "GET")
    assert ("not known whether what you sent was kept" in page) is (method == "POST")
    assert ("nothing is changed" in page) is (method == "GET")
