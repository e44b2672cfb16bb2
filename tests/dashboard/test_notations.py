"""Notations: rows are versions, nobody's words are lost, and only an analyst adds any."""

import re
from html import unescape
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from django.db import IntegrityError, connections, transaction
from django.test.utils import CaptureQueriesContext

from dashboard.accounts.models import User
from dashboard.notations import views
from dashboard.notations.models import Notation, Remark, VersionConflict, save_version
from dashboard.notations.subjects import Subject
from tests.dashboard.conftest import CLOCK, ClientOf, decision_id, store
from tests.dashboard.test_news import FIRST, article, filing
from tests.dashboard.test_statistics import QUARTER, observe
from tests.dashboard.test_today import HOSTILE, MOST_QUERIES

if TYPE_CHECKING:
    from django.test import Client

Connection = psycopg.Connection[Any]
MARKET = "/notations/write/?kind=listing&key=11"


def rows() -> list[tuple[Any, ...]]:
    """What stands in the table, oldest first."""
    fields = ("author__pseudo", "version", "rating", "tags", "note", "written_at")
    return list(Notation.objects.order_by("id").values_list(*fields))


def opened(client: "Client", path: str = MARKET) -> dict[str, str]:
    """The form as it is opened: its key and the version that it is on top of, with what was said."""
    return read_form(client.get(path).content.decode())


def read_form(page: str) -> dict[str, str]:
    """The fields of a page's form, as a browser would send them."""
    form = page.partition('<form method="post">')[2].partition("</form>")[0]
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
    [note] = re.findall(r"<textarea[^>]*>\r?\n([^<]*)</textarea>", form)
    chosen = re.findall(r'<option value="(\d)" selected>', form)
    sent = {name: fields.get(name, "") for name in ("key", "base", "tags")} | {"note": note, "rating": "".join(chosen)}
    return {name: unescape(value) for name, value in sent.items()}


def test_the_newest_version_counts_and_the_ones_before_stay(market: Connection, client_of: ClientOf) -> None:
    client = client_of("analyst", "ada", second_factor=False)
    first = opened(client)
    assert (first["base"], first["note"], first["rating"]) == ("0", "", "")
    sent = first | {"rating": "4", "tags": "Thin,  to  watch,thin", "note": "<b>wide</b>\nspread"}
    answer = client.post(MARKET, sent)
    assert (answer.status_code, answer["Location"]) == (302, "/markets/11/")
    second = opened(client)
    assert (second["base"], second["rating"], second["tags"]) == ("1", "4", "thin, to watch")
    assert second["note"] == "<b>wide</b>\nspread"
    client.post(MARKET, second | {"rating": "2"})
    client.post(MARKET, opened(client) | {"take_back": "1"})
    said = ["thin", "to watch"], "<b>wide</b>\nspread", CLOCK
    assert rows() == [("ada", 1, 4, *said), ("ada", 2, 2, *said), ("ada", 3, None, [], "", CLOCK)]
    page = client.get("/markets/11/").content.decode()
    assert "No notes yet." in page
    assert "3 versions" in page
    assert "&lt;b&gt;wide&lt;/b&gt;" in page
    listed, history = (client.get("/notations/", {"history": text}).content.decode() for text in ("", "1"))
    assert "gateio:BTC_USDT" not in listed
    assert history.count('href="/markets/11/">gateio:BTC_USDT</a>') == 3


def test_the_same_form_twice_is_one_row(market: Connection, client_of: ClientOf) -> None:
    client = client_of("trader", "tom")
    sent = opened(client) | {"rating": "5"}
    assert [client.post(MARKET, sent).status_code for _ in range(2)] == [302, 302]
    # The button `back`, other words and the same key: they are not thrown away as if they were stored.
    assert client.post(MARKET, sent | {"note": "more"}).status_code == 409
    assert [row[:3] for row in rows()] == [("tom", 1, 5)]
    # A key of somebody else's form adds nothing to his words.
    assert client_of("admin", "eve").post(MARKET, sent | {"note": "mine"}).status_code == 409
    assert len(rows()) == 1


def test_two_tabs_are_told_and_both_texts_are_kept(market: Connection, client_of: ClientOf) -> None:
    client = client_of("analyst", "ada")
    one, other = opened(client), opened(client)
    client.post(MARKET, one | {"note": "from one tab", "tags": "a"})
    answer = client.post(MARKET, other | {"note": "from the other", "rating": "3"})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Another version of yours was saved" in page
    assert "from one tab" in page
    again = read_form(page)
    assert (again["base"], again["note"], again["rating"]) == ("1", "from the other", "3")
    assert client.post(MARKET, again).status_code == 302
    assert [(row[1], row[4]) for row in rows()] == [(1, "from one tab"), (2, "from the other")]


def test_of_two_forms_at_the_same_moment_the_database_keeps_one(market: Connection, client_of: ClientOf) -> None:
    client_of("analyst", "ada")
    ada, subject = User.objects.get(pseudo="ada"), Subject("listing", "11")
    shared = {"label": "x", "author": ada, "at": CLOCK}
    save_version(subject, Remark(note="first"), base=0, key=uuid4(), **shared)
    with pytest.raises(VersionConflict):
        save_version(subject, Remark(note="second"), base=0, key=uuid4(), **shared)
    row = {"kind": "listing", "subject": "11", "label": "x", "author": ada, "written_at": CLOCK}
    for constraint, wrong in (("notation_version", {"version": 1}), ("notation_rating", {"version": 2, "rating": 6})):
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            Notation.objects.create(key=uuid4(), **row, **wrong)
    assert len(rows()) == 1


def test_who_only_looks_reads_and_adds_nothing(market: Connection, client_of: ClientOf) -> None:
    analyst, viewer = client_of("analyst", "ada"), client_of("viewer", "vic")
    sent = opened(analyst) | {"note": "seen by all"}
    assert viewer.post(MARKET, sent).status_code == viewer.get(MARKET).status_code == 403
    assert rows() == []
    analyst.post(MARKET, sent)
    page = viewer.get("/markets/11/").content.decode()
    assert "seen by all" in page
    assert "/notations/write/" not in page
    assert "seen by all" in viewer.get("/notations/").content.decode()


def test_a_form_that_says_nothing_or_too_much_leaves_no_row(market: Connection, client_of: ClientOf) -> None:
    client = client_of("analyst")
    sent = opened(client)
    for wrong in ({}, {"rating": "6"}, {"rating": "0"}, {"note": "x" * 4001}, {"note": "nul \0"}, {"tags": "x" * 33},
                  {"tags": ",".join("abcdefghi")}, {"tags": " , ,"}, {"take_back": "1"}, {"note": "x", "base": "-1"},
                  {"note": "x", "key": "1"}):  # fmt: skip
        assert client.post(MARKET, sent | wrong).status_code == 400, wrong
    assert client.post(MARKET, sent | {"note": "x", "base": "7"}).status_code == 409
    for record in (
        "kind=listing&key=99",
        "kind=listing&key=011",
        "kind=listing&key=" + "9" * 30,
        "kind=nothing&key=11",
        "kind=article&key=wire",
        "kind=wallet&key=%00",
        "kind=series&key=" + "%C3%A9" * 1500,
    ):
        assert client.get(f"/notations/write/?{record}").status_code == 404, record
    for before in ("x", "9" * 30, "-1"):
        assert client.get(f"/notations/?before={before}").status_code == 404
    assert rows() == []


def test_every_kind_of_record_has_its_panel_and_a_line_in_the_list(traded: Connection, client_of: ClientOf) -> None:
    article(traded, "1", "News", FIRST)
    filing(traded, "2/3", "10-K", FIRST)
    store(traded, 101, b"x", at=FIRST)
    observe(traded, QUARTER, 4.9, FIRST, 101, table="records.observations")
    traded.commit()
    [(intent,)] = traded.execute("SELECT min(intent_id) FROM trading.intents").fetchall()
    traded.commit()
    pages = {
        "/markets/11/": "market",
        "/news/article/?source=wire&article=1": "article",
        "/reports/filing/?source=sec&document=2/3": "filing",
        "/statistics/series/?series=US:GDP<b>": "series",
        f"/decisions/{decision_id(traded)}/": "decision",
        f"/trace/{intent}/": "order",
        "/wallets/paper/": "wallet",
    }
    client = client_of("admin", "ada")
    for path, word in pages.items():
        [form] = re.findall(r'href="(/notations/write/[^"]+)"', client.get(path).content.decode())
        answer = client.post(unescape(form), opened(client, unescape(form)) | {"note": f"of the {word}"})
        assert answer.status_code == 302, path
        assert f"of the {word}" in client.get(answer["Location"]).content.decode(), path
    listed = client.get("/notations/").content.decode()
    assert [word for word in pages.values() if f"<small>{word}</small>" not in listed] == []
    lists = ("/notations/", "/news/", "/reports/", "/statistics/", "/markets/11/?view=table")
    for path in (*lists, unescape(form), *pages):
        with (
            CaptureQueriesContext(connections["default"]) as own,
            CaptureQueriesContext(connections["layers"]) as layers,
        ):
            assert client.get(path).status_code == 200
        queries = [query["sql"] for query in (*own.captured_queries, *layers.captured_queries)]
        queries = [query for query in queries if query not in ("BEGIN", "COMMIT")]
        assert len(queries) <= MOST_QUERIES, "\n".join([path, *queries])


def test_the_list_is_filtered_paged_and_takes_any_text_as_text(
    market: Connection, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = client_of("analyst", "ada"), client_of("analyst", "bob")
    for client, listing, rating, tags in ((ada, 11, "2", "risk"), (ada, 12, "5", "risk, calm"), (bob, 11, "", "calm")):
        path = f"/notations/write/?kind=listing&key={listing}"
        for text in HOSTILE:
            note = text[:4000]
            client.post(path, opened(client, path) | {"rating": rating, "tags": tags, "note": note})

    def found(**wanted: str) -> list[str]:
        page = client.get("/notations/", wanted).content.decode()
        assert "<script" not in page
        assert "<img src=x" not in page
        return re.findall(r'href="/markets/(1[12])/"', page)

    assert found() == ["11", "12", "11"]
    assert found(tag="CALM") == ["11", "12"]
    assert found(rating="3") == ["12"]
    assert found(author="bob") == ["11"]
    assert found(words="eth_") == ["12"]
    assert found(kind="wallet") == []
    assert len(found(history="1")) == 3 * len(HOSTILE)
    monkeypatch.setattr(views, "SHOWN", 2)
    page = client.get("/notations/?words=usdt").content.decode()
    [older] = re.findall(r'href="(\?[^"]+)" rel="next"', page)
    second = client.get("/notations/" + unescape(older)).content.decode()
    assert re.findall(r'href="/markets/(1[12])/"', second) == ["11"]
