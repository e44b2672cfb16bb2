"""Create and correct: an analyst proposes, an admin answers, `strades up` does it, the old value stays readable."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from dashboard.datamanager.correction_forms import ratio_fields
from strades_pipelines.datamanager.sources import Sources, load_sources
from strades_pipelines.ingestion.data_requests import carry_out_requests
from strades_pipelines.settings import settings
from tests.brokerage.conftest import BTC, START, rows
from tests.dashboard.conftest import CLOCK, ClientOf
from tests.datamanager.conftest import document
from tests.ingestion.conftest import gate_body, gate_row

if TYPE_CHECKING:
    from django.test import Client

Connection = psycopg.Connection[Any]
HOSTILE = "<script>alert(1)</script>"
KEPT = "SELECT kind, requested_by, reason, protocol, source FROM ops.data_requests ORDER BY request_id"
KEY = quote(json.dumps([str(BTC), "1m", "2024-01-02 00:00:00+00"]))
CORRECT = f"/data/changes/record-candle/?key={KEY}"
UPLOAD = "/data/changes/file/"
ROW = f"/data/records/candles/row/?key={KEY}"
VALUE = {"series": "OWN:CPI", "event_time": "2023-12-01", "value": "3.1", "unit": "percent", "known_on": ""}


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: str) -> Sources:
    """A Sources.json with one website."""
    (tmp_path / "Sources.json").write_text(json.dumps(document()))
    monkeypatch.setenv("STRADES_SOURCES", str(tmp_path / "Sources.json"))
    settings.cache_clear()
    return load_sources(tmp_path / "Sources.json")


def bar(**changes: str) -> dict[str, str]:
    """What the form of a correction sends: the first bar, with another close."""
    prices = {"open": "100", "high": "200", "low": "50", "close": "101.25", "volume": "1"}
    return {"key": str(uuid4()), "reason": f"a slip {HOSTILE}", **prices, **changes}


def proposed(client: "Client", path: str, sent: dict[str, Any]) -> str:
    """Send a form; returns the path of the request that it leads to."""
    answer = client.post(path, sent)
    assert (answer.status_code, answer["Location"]) == (302, f"/data/changes/{sent['key']}/"), answer.content.decode()
    return str(answer["Location"])


def test_a_correction_waits_for_an_admin_and_leaves_the_old_value_to_read(
    traded: Connection, sources: Sources, site: str, client_of: ClientOf
) -> None:
    analyst, admin = client_of("analyst", "ada"), client_of("admin", "bob")
    of_bar = f"records.candles WHERE open_time = '{START}' AND listing_id = {BTC}"
    [(before,)] = rows(traded, f"SELECT close FROM {of_bar}")
    traded.execute(f"UPDATE {of_bar.replace(' WHERE', ' SET quote_volume = 1234.5, trade_count = 7 WHERE')}")
    traded.commit()
    assert f'href="{CORRECT}"' in analyst.get(ROW).content.decode()
    form = analyst.get(CORRECT).content.decode()
    assert 'value="BTC_USDT"' in form
    shown = dict(re.findall(r'name="(quote_volume|trade_count)" value="([^"]*)"', form))
    sent = bar(symbol="ETH_USDT", **shown)  # which record it is about stands in the address, whatever the form says
    path = proposed(analyst, CORRECT, sent)
    assert proposed(analyst, CORRECT, sent) == path  # the button was pressed twice
    assert rows(traded, KEPT) == [("correction", "dashboard:ada", f"a slip {HOSTILE}", "manual_candle", "manual")]
    waiting = analyst.get(path)
    assert "waits for an admin" in waiting.content.decode()
    assert "Refresh" not in waiting.headers
    assert carry_out_requests(site, sources, clock=lambda: CLOCK) == {}
    assert analyst.post(f"{path}answer/", {"verdict": "accept"}).status_code == 403
    assert admin.post(f"{path}answer/", {"verdict": "accept"})["Location"] == path
    admin.post(f"{path}answer/", {"verdict": "decline"})  # the first word counts
    assert admin.get(path)["Refresh"] == "3"
    [told] = carry_out_requests(site, sources, clock=lambda: CLOCK).values()
    assert told == "done: records.candles: 0 new, 1 revised"
    # What nobody corrected stays.
    assert rows(traded, f"SELECT close, quote_volume, trade_count FROM {of_bar}") == [(101.25, 1234.5, 7)]
    done = admin.get(path).content.decode()
    assert "✓ done: records.candles: 0 new, 1 revised" in done
    stored = admin.get(ROW).content.decode()
    assert "101.25" in stored
    assert "Versions before" in stored
    assert f'close <span class="num">{before:g}' in stored or f"close {before}" in stored
    [(fetch,)] = rows(traded, "SELECT fetch_id FROM ops.data_requests")
    assert f'href="/bodies/{fetch}/"' in done
    assert f'href="/bodies/{fetch}/"' in stored
    bytes_ = admin.get(f"/bodies/{fetch}/").content.decode()
    assert "dashboard:ada" in bytes_
    for text in (done, stored, bytes_, admin.get("/data/changes/").content.decode()):
        assert "<script" not in text


def test_a_file_is_taken_in_as_its_source_would_have_sent_it(
    traded: Connection, sources: Sources, site: str, client_of: ClientOf
) -> None:
    admin = client_of("admin", "bob")
    body = gate_body(gate_row(0))
    sent: dict[str, Any] = {"key": str(uuid4()), "reason": "a hole", "protocol": "gateio_candles", "source": ""}
    given = {"set": "symbol=BTC_USDT\n interval=1m", "file": SimpleUploadedFile("../../mine.json", body)}
    path = proposed(admin, UPLOAD, sent | given)
    sent["file"] = SimpleUploadedFile("mine.json", body)
    assert proposed(admin, UPLOAD, sent | {"set": given["set"]}) == path
    shown = admin.get(path).content.decode()
    assert "1000.5" in shown
    assert "the first" not in shown
    admin.post(f"{path}answer/", {"verdict": "accept"})
    [told] = carry_out_requests(site, sources, clock=lambda: CLOCK.replace(year=2026, month=12)).values()
    assert told == "done: records.candles: 1 new, 0 revised"
    found = rows(traded, "SELECT source, url, method FROM rawsources.fetches WHERE method = 'FILE'")
    assert found == [("gateio", "file:mine.json", "FILE")]
    assert rows(traded, "SELECT length(body) FROM ops.data_requests") == [(0,)]


def test_who_answers_can_read_every_byte(traded: Connection, sources: Sources, client_of: ClientOf) -> None:
    admin, analyst = client_of("admin", "bob"), client_of("analyst", "ada")
    body = HOSTILE.encode() + b"x" * 9_000 + b"\0behind the beginning"
    sent = {"key": str(uuid4()), "reason": "x", "protocol": "feed", "source": "", "set": ""}
    path = proposed(analyst, UPLOAD, sent | {"file": SimpleUploadedFile("x.html", body)})
    assert re.search(r"the first 8[^<]* of 9", admin.get(path).content.decode())
    answer = admin.get(f"{path}bytes/")
    assert (answer.content, answer["Content-Type"]) == (body, "application/octet-stream")
    assert answer["Content-Disposition"].startswith('attachment; filename="request-')
    assert analyst.get(f"{path}bytes/").status_code == 403
    # The same key with other bytes, or another reason, is no press of the same button.
    for other in ({"file": SimpleUploadedFile("x.html", b"other")},
                  {"file": SimpleUploadedFile("x.html", body), "reason": "y"}):  # fmt: skip
        assert analyst.post(UPLOAD, sent | other).status_code == 409


def test_forms_that_say_too_little_or_too_much_leave_no_row(
    traded: Connection, sources: Sources, client_of: ClientOf
) -> None:
    analyst = client_of("analyst", "ada")
    value = {"key": str(uuid4()), "reason": "x", **VALUE}
    for path, wrong in (
        (CORRECT, {}),
        (CORRECT, bar(close="a lot")),
        (CORRECT, bar(close="NaN")),
        (CORRECT, bar(close="201")),
        (CORRECT, bar(low="101")),
        (CORRECT, bar(reason=" ")),
        (CORRECT, bar(reason="nul \0")),
        ("/data/changes/record-candle/", bar(venue="gateio", symbol="X", interval="1m", open_time="31/1/2024")),
        ("/data/changes/record-observation/", value | {"event_time": "2024-02-30"}),
        ("/data/changes/record-observation/", value | {"event_time": "2030-01-01"}),
        ("/data/changes/record-observation/", value | {"known_on": "2023-11-30"}),
        (UPLOAD, {"key": str(uuid4()), "reason": "x", "protocol": "gateio_candles"}),
        (UPLOAD, {**bar(), "protocol": "../etc", "file": SimpleUploadedFile("x", b"x")}),
        (UPLOAD, {**bar(), "protocol": "feed", "set": "a", "file": SimpleUploadedFile("x", b"x")}),
    ):
        assert analyst.post(path, wrong).status_code == 400, (path, wrong)
    for path in (f"/data/changes/{uuid4()}/", "/data/changes/?before=x", "/data/changes/record-candle/?key=x"):
        assert analyst.get(path).status_code == 404, path
    assert analyst.get("/data/changes/record-trade/").status_code == 404
    assert rows(traded, KEPT) == []
    proposed(analyst, "/data/changes/record-observation/", value)
    # The key of one request, from another person or of another kind, is no request.
    assert client_of("analyst", "eve").post("/data/changes/record-observation/", value).status_code == 409
    assert analyst.post(CORRECT, bar(key=value["key"])).status_code == 409
    [(given,)] = rows(traded, "SELECT given FROM ops.data_requests")
    assert given == {}  # the day on which it is taken in counts, not that of the form


def test_the_largest_file_is_taken_in_and_kept_in_memory(
    traded: Connection, sources: Sources, client_of: ClientOf
) -> None:
    from django.conf import settings as django_settings

    analyst = client_of("analyst", "ada")
    sent = {"key": str(uuid4()), "reason": "x", "protocol": "feed", "source": "", "set": ""}
    for size, status in ((django_settings.LARGEST_FILE + 1, 400), (django_settings.LARGEST_FILE, 302)):
        file = SimpleUploadedFile("x.html", b"x" * size)
        assert analyst.post(UPLOAD, sent | {"file": file}).status_code == status
    # Where a body becomes a file (`ASGIHandler.read_body`) is behind what is read of one.
    largest_body = django_settings.LARGEST_FILE + django_settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    assert largest_body == django_settings.FILE_UPLOAD_MAX_MEMORY_SIZE


def test_who_only_looks_proposes_nothing(traded: Connection, sources: Sources, client_of: ClientOf) -> None:
    viewer = client_of("viewer")
    assert viewer.post(CORRECT, bar()).status_code == 403
    assert viewer.get(UPLOAD).status_code == 403
    assert "Take in a file" not in viewer.get("/data/changes/").content.decode()
    assert "propose a correction" not in viewer.get(ROW).content.decode()


def test_a_record_is_left_out_and_taken_in_again(
    traded: Connection, sources: Sources, site: str, client_of: ClientOf
) -> None:
    analyst, admin = client_of("analyst", "ada"), client_of("admin", "bob")
    exclude, restore = (f"/data/changes/{act}-candles/?key={KEY}" for act in ("exclude", "restore"))
    count = f"SELECT count(*) FROM records.candles WHERE open_time = '{START}' AND listing_id = {BTC}"
    assert f'href="{exclude}"' in analyst.get(ROW).content.decode()
    assert "BTC" not in analyst.get(restore).content.decode()
    assert analyst.get(restore).status_code == 404  # it counts
    for act, path, left in ((exclude, "exclusion", 0), (restore, "restoration", 1)):
        assert analyst.post(act, {"key": str(uuid4()), "reason": " "}).status_code == 400
        sent = {"key": str(uuid4()), "reason": f"a spike {HOSTILE}"}
        page = proposed(analyst, act, sent)
        assert proposed(analyst, act, sent) == page  # the button was pressed twice
        assert admin.post(f"{page}answer/", {"verdict": "accept"}).status_code == 302
        [told] = carry_out_requests(site, sources, clock=lambda: CLOCK).values()
        assert told.startswith("done: records.candles: 1 row "), (path, told)
        assert rows(traded, count) == [(left,)]
        assert analyst.get(ROW).status_code == (200 if left else 404)
        listed = analyst.get("/data/changes/").content.decode()
        assert (f'href="{restore}"' in listed) == (not left)
        assert "<script" not in listed + analyst.get(page).content.decode()
    others = [exclude.replace("candles", name) for name in ("listings", "no_such", "%00")]
    others += [restore.replace("candles", name) for name in ("trades", "%00")]
    for path in (*others, f"{exclude}x", restore.replace(KEY, "%5B1%5D")):
        assert analyst.get(path).status_code == 404, path
    assert client_of("viewer").post(exclude, sent).status_code == 403


def test_the_words_of_an_article_are_corrected_and_the_old_ones_stay_readable(
    traded: Connection, sources: Sources, site: str, client_of: ClientOf
) -> None:
    traded.execute(
        "INSERT INTO records.articles VALUES ('wire', 'a/1', 'https://example.org/1', 'Profit dubles', 'At BTC.', "
        "'Body.', '{Ada}', 'en', '{markets}', %s, %s, 'stated', 1, %s)",
        [START, START, START],
    )
    traded.commit()
    analyst, admin = client_of("analyst", "ada"), client_of("admin", "bob")
    path = f"/data/changes/record-article/?key={quote(json.dumps(['wire', 'a/1']))}"
    assert 'value="Profit dubles"' in analyst.get(path).content.decode()
    sent = {"key": str(uuid4()), "reason": "a slip", "title": f"Profit doubles {HOSTILE}", "summary": "At BTC."}
    admin.post(f"{proposed(analyst, path, sent)}answer/", {"verdict": "accept"})
    [told] = carry_out_requests(site, sources, clock=lambda: CLOCK).values()
    assert told == "done: records.articles: 0 new, 1 revised"
    [row] = rows(traded, "SELECT title, url, text, authors, categories, published_at, language FROM records.articles")
    url = "https://example.org/1"
    assert row == (f"Profit doubles {HOSTILE}", url, "Body.", ["Ada"], ["markets"], START, "en")
    page = admin.get("/news/article/?source=wire&article=a/1").content.decode()
    assert "<del>dubles</del><ins>doubles &lt;script&gt;" in page.replace("\n", "").replace(" </", "</")
    assert "<script" not in page
    before = admin.get("/news/article/", {"source": "wire", "article": "a/1", "as_of": f"{START:%Y-%m-%dT%H:%M}"})
    assert "Profit dubles" in before.content.decode()
    assert analyst.get("/data/changes/record-article/").status_code == 404


def test_a_dividend_and_a_split_are_corrected(
    traded: Connection, sources: Sources, site: str, client_of: ClientOf
) -> None:
    for action, ratio, amount in (("dividend", None, 10.0), ("split", 3.0, None)):
        traded.execute(
            "INSERT INTO records.corporate_actions VALUES (%s, '2024-01-02', %s, %s, %s, %s, %s, 'assumed', 1, %s)",
            [BTC, action, ratio, amount, "USDT" if amount else None, START, START],
        )
    traded.commit()
    analyst, admin = client_of("analyst", "ada"), client_of("admin", "bob")
    for action, changed in (("dividend", {"amount": "1.25"}), ("split", {"numerator": "3", "denominator": "2"})):
        path = f"/data/changes/record-action/?key={quote(json.dumps([str(BTC), '2024-01-02', action]))}"
        assert analyst.post(path, {"key": str(uuid4()), "reason": "x"}).status_code == 400
        page = proposed(analyst, path, {"key": str(uuid4()), "reason": "a slip", **changed})
        admin.post(f"{page}answer/", {"verdict": "accept"})
        [told] = carry_out_requests(site, sources, clock=lambda: CLOCK).values()
        assert told.startswith("done: records.corporate_actions: 0 new, 1 revised"), told
    found = rows(traded, "SELECT action, ratio, amount, currency FROM records.corporate_actions ORDER BY action")
    assert found == [("dividend", None, 1.25, "USDT"), ("split", 1.5, None, None)]
    old = rows(traded, "SELECT action, ratio, amount FROM records.corporate_action_revisions ORDER BY action")
    assert old == [("dividend", None, 10.0), ("split", 3.0, None)]


def test_a_dividend_of_before_a_split_is_shown_and_read_in_the_shares_of_now(
    traded: Connection, sources: Sources, site: str, client_of: ClientOf
) -> None:
    """0.82 for an old share is 0.205 for each of four: 0.25 that a person writes for it is no 0.0625."""
    paid, told, split = START - timedelta(days=1), START - timedelta(hours=12), START
    traded.execute("UPDATE records.listings SET adjustment = 'split'")
    traded.execute("UPDATE rawsources.fetches SET fetched_at = %s WHERE fetch_id = 1", [told])
    for action, ratio, amount, at in (("dividend", None, 0.82, paid), ("split", 4.0, None, split)):
        traded.execute(
            "INSERT INTO records.corporate_actions VALUES (%s, %s, %s, %s, %s, %s, %s, 'assumed', 1, %s)",
            [BTC, at.date(), action, ratio, amount, "USDT" if amount else None, at, told],
        )
    traded.execute(
        "INSERT INTO records.split_adjustments VALUES (%s, 1, %s, %s, 4, 'fetch_time', %s, %s)",
        [BTC, paid, paid, split, told],
    )
    traded.commit()
    path = f"/data/changes/record-action/?key={quote(json.dumps([str(BTC), '2024-01-01', 'dividend']))}"
    analyst, admin = client_of("analyst", "ada"), client_of("admin", "bob")
    page = analyst.get(path).content.decode()
    assert 'value="0.205"' in page
    assert "in the shares of today" in page
    sent = {"key": str(uuid4()), "reason": "a slip", "amount": "0.25"}
    admin.post(f"{proposed(analyst, path, sent)}answer/", {"verdict": "accept"})
    [outcome] = carry_out_requests(site, sources, clock=lambda: CLOCK).values()
    assert outcome.startswith("done"), outcome
    read = """
        SELECT d.amount / coalesce(a.ratio, 1) FROM records.corporate_actions AS d
        LEFT JOIN records.split_adjustments AS a
            ON d.listing_id = a.listing_id AND d.fetch_id = a.fetch_id
            AND d.knowledge_time BETWEEN a.from_time AND a.to_time
        WHERE d.action = 'dividend'
    """
    assert rows(traded, read) == [(0.25,)]


def test_every_mark_can_be_undone_however_many_came_since(traded: Connection, client_of: ClientOf) -> None:
    traded.execute(
        """
        WITH asked AS (
            INSERT INTO ops.data_requests
                (request_key, kind, requested_by, requested_at, reason, protocol, given, file_name, body)
            SELECT gen_random_uuid(), 'exclusion', 'ada', %(at)s, 'x', 'exclusion', '{}', '', ''
            FROM generate_series(1, 60) RETURNING request_id
        )
        INSERT INTO records.exclusions (relation, key, is_excluded, marked_at, marked_by, reason, request_id)
        SELECT 'articles', ARRAY['wire', 'n' || request_id], true, %(at)s, 'ada', 'x', request_id FROM asked
        """,
        {"at": START},
    )
    traded.commit()
    analyst, path, seen = client_of("analyst", "ada"), "/data/changes/", set[str]()
    for count in (25, 25, 10):
        page = analyst.get(path).content.decode()
        undone = set(re.findall(r'href="(/data/changes/restore-articles/[^"]+)"', page))
        assert (len(undone), undone & seen) == (count, set())
        seen |= undone
        path = "/data/changes/" + (re.findall(r'href="([?]marked_before=[^"]+)"', page) or [""])[0]
    assert path == "/data/changes/"
    assert analyst.get("/data/changes/?marked_before=x").status_code == 404


def test_no_word_of_a_long_title_is_lost(traded: Connection, sources: Sources, client_of: ClientOf) -> None:
    title = "Profit " * 300 + "ends"
    traded.execute(
        "INSERT INTO records.articles VALUES ('wire', 'a/1', NULL, %s, NULL, NULL, '{}', NULL, '{}', %s, %s, 'stated', "
        "1, %s)",
        [title, START, START, START],
    )
    traded.commit()
    path = f"/data/changes/record-article/?key={quote(json.dumps(['wire', 'a/1']))}"
    assert f'value="{title}"' in client_of("analyst", "ada").get(path).content.decode()


@pytest.mark.parametrize("ratio", [1001 / 1000, 1.000123, 1 / 3, 20.0, 0.1 + 0.2, 3122 / 3121])
def test_the_fields_of_a_split_make_just_the_ratio_that_is_stored(ratio: float) -> None:
    shares = ratio_fields(ratio)
    assert float(shares["numerator"]) / float(shares["denominator"]) == ratio
