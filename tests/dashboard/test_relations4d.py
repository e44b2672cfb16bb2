"""The 4D view: what its columns, picture and tables say, to whom, and how much of it at once."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

import dashboard
from dashboard.accounts.models import User
from dashboard.community.wallets import give_wallet
from dashboard.gateway import relations as gateway
from dashboard.gateway.reading import snapshot
from dashboard.gateway.relation_graph import PLANES, plane_of
from dashboard.gateway.relation_records import QUERIES
from dashboard.gateway.relations import Range, read_graph
from dashboard.gateway.viewer import set_viewer
from dashboard.middleware import TIME_ZONE_COOKIE
from dashboard.relations4d.filters import ALL_PLANES
from dashboard.relations4d.views import PLANE_NAMES
from strades_pipelines.database.connection import connect
from strades_pipelines.resources.dbt_project import database_name
from tests.conftest import cloned
from tests.dashboard.conftest import ClientOf
from tests.dashboard.relations4d.test_columns import decode
from tests.dashboard.test_today import MOST_QUERIES
from tests.dbt_project.building import run_dbt
from tests.lineage.lineage_world import COIN, DAY, DAYS, FIRST, MINUTE, WALLETS, World, midnight, window_of
from tests.lineage.test_record_graph import MARTS

Connection = psycopg.Connection[Any]
LAST = FIRST + (DAYS - 1) * DAY
END = LAST + DAY  # forecasts of the last session are decided on
WHOLE = f"from={FIRST}&to={END}"
MOST_SCRIPT = 12_000


@pytest.fixture(scope="module")
def template(template: str) -> Iterator[str]:
    """The name of a database with the world of a seed, in which one decision looks ahead, and its marts."""
    with cloned(template) as url:
        with psycopg.connect(url) as connection:
            made = World(url, connection, 5)
            day = midnight(LAST)
            made.decide("LATE", COIN, day + 2 * MINUTE, {"bars": window_of(COIN, "1m", day, day + 5 * MINUTE)})
        run_dbt(url, MARTS)
        yield database_name(url)


def columns(client: Client, query: str) -> dict[str, Any]:
    """The columns of an address."""
    answer = client.get(f"/4d/columns/?{query}")
    assert answer.status_code == 200, answer.content
    return decode(answer.content)


def test_columns_hold_the_nodes_and_relations_of_the_marts_at_each_level(
    connection: Connection, client_of: ClientOf
) -> None:
    client = client_of("viewer")
    for level, grouped in (("asset", "asset"), ("day", "asset, day"), ("instrument", "asset, day, listing_id, wallet")):
        found = columns(client, f"{WHOLE}&level={level}")
        [(nodes, rows)] = connection.execute(
            f"SELECT count(DISTINCT ({grouped})), sum(rows) FROM marts.lineage_nodes WHERE level = 2"
        ).fetchall()
        assert (found["head"]["level"], found["head"]["nodes"], found["rows"].sum()) == (level, nodes, rows)
        assert found["ahead"].sum() == 1
        target = found["target"][found["ahead"] > 0][0]
        assert found["head"]["assets"][found["asset"][target]]["name"].startswith("signals/")
        assert (found["source"] <= found["until"]).all()
        assert (found["plane"][found["until"]] < found["plane"][found["target"]]).all()
        assert (found["plane"][found["source"]] == found["plane"][found["until"]]).all()
    assert connection.execute("SELECT count(*) FROM marts.lineage_edges WHERE level = 2").fetchone() == (
        found["head"]["edges"] + found["head"]["outside"],
    )


def test_what_is_of_another_wallet_is_in_no_node_sum_or_relation(site: str) -> None:
    everything = Range(FIRST, END, "", None, WALLETS)
    for level in ("asset", "day", "instrument"):
        graphs = {}
        for name, wallets in (("both", WALLETS), ("blue", ("blue",)), ("none", ())):
            with snapshot():
                graphs[name] = read_graph(Range(FIRST, END, level, None, wallets), None)
        rows = {name: sum(n.rows for n in graph.nodes if n.plane >= 5) for name, graph in graphs.items()}
        assert rows["both"] > rows["blue"] > rows["none"] == 0
        assert "red" not in {node.wallet for node in graphs["blue"].nodes}
        counted = {name: sum(edge.rows for edge in graph.edges) for name, graph in graphs.items()}
        assert counted["both"] > counted["blue"] > counted["none"]
        assert {node.plane for node in graphs["none"].nodes} == {0, 1, 2, 3, 4}
    assert everything.days == DAYS + 1


def test_a_wallet_of_somebody_else_is_in_no_node_relation_or_trace(site: str, client_of: ClientOf) -> None:
    clients = {name: client_of(role, name) for name, role in (("ada", "viewer"), ("bob", "viewer"), ("eve", "admin"))}
    query = f"{WHOLE}&level=instrument"
    everything = columns(clients["bob"], query)["head"]
    give_wallet(User.objects.get(pseudo="eve"), "red", to=User.objects.get(pseudo="ada"))
    hidden, shown = (columns(clients[name], query)["head"] for name in ("bob", "ada"))
    assert shown == everything
    assert hidden["nodes"] < everything["nodes"]
    assert "'red'" in str(shown)
    assert "'red'" not in str(hidden)
    with snapshot():
        set_viewer(User.objects.get(pseudo="bob").pk)
        with connections["layers"].cursor() as cursor:
            # The marts by themselves, whatever the page asks them for.
            cursor.execute("SELECT count(*) FROM marts.lineage_nodes WHERE wallet = 'red'")
            assert cursor.fetchone() == (0,)


def test_what_was_encoded_for_one_is_given_to_nobody_who_may_see_less_and_not_after_a_change(
    connection: Connection, site: str, client_of: ClientOf
) -> None:
    clients = {name: client_of(role, name) for name, role in (("ada", "viewer"), ("bob", "viewer"), ("eve", "admin"))}
    give_wallet(User.objects.get(pseudo="eve"), "red", to=User.objects.get(pseudo="ada"))
    query = f"{WHOLE}&level=instrument"
    by_read = {name: columns(clients[name], query)["head"] for name in ("ada", "bob")}
    connection.execute("INSERT INTO ops.dbt_builds (layer, build_id, ended_at) VALUES ('marts', 'first', now())")
    connection.commit()
    for name in ("ada", "bob", "ada", "bob"):  # of one version: read once, then known
        assert columns(clients[name], query)["head"] == by_read[name], name
    connection.execute("INSERT INTO records.listings SELECT 999, 'a', 'NEW', 'USD', 0.01, 1, 'raw', '24/7'")
    connection.commit()
    before = columns(clients["ada"], query)["x"]
    connection.execute("UPDATE ops.dbt_builds SET build_id = 'second' WHERE layer = 'marts'")
    connection.commit()
    with connect(site, role="strades_dbt") as dbt:
        dbt.execute("UPDATE marts.lineage_nodes SET rows = rows + 1 WHERE wallet = 'red'")
    assert (columns(clients["ada"], query)["x"] == before).all()
    assert columns(clients["ada"], query)["rows"].sum() > columns(clients["bob"], query)["rows"].sum()
    # The lane of a listing moves with those that came, also where nothing was built since.
    connection.execute("DELETE FROM records.listings WHERE listing_id = 999")
    connection.commit()
    assert (columns(clients["ada"], query)["x"] != before).any()


def test_a_trace_is_drawn_record_by_record_and_that_of_nobodys_is_not_there(
    connection: Connection, client_of: ClientOf
) -> None:
    client = client_of("viewer")
    [(fill,)] = connection.execute("SELECT min(fill_id) FROM trading.fills").fetchall()
    found = columns(client, f"trace={fill}")
    assert found["head"]["level"] == "record"
    assert fill in found["head"]["records"]
    assert found["target"].max() < found["head"]["nodes"]
    assert client.get("/4d/?trace=NOPE").status_code == 404
    assert client.get("/4d/?trace=%00").status_code == 404
    page = client.get(f"/4d/?trace={fill}").content.decode()
    assert f"/trace/{fill}/" in page
    with snapshot():
        assert gateway.read_trace_graph("LATE", ()) is None


def test_the_page_lists_what_looks_ahead_and_draws_it_as_such(client_of: ClientOf) -> None:
    client = client_of("viewer")
    page = client.get(f"/4d/?{WHOLE}").content.decode()
    assert "Look-ahead: 1" in page
    [listed] = re.findall(r'<tr class="ahead">.*?</tr>', page, re.DOTALL)
    assert "records/candles" in listed
    assert "signals/" in listed
    assert page.count('class="edge ahead"') == 1
    before = client.get(f"/4d/?{WHOLE}&listing=2").content.decode()
    assert "Look-ahead" not in before
    assert 'class="edge ahead"' not in before


def test_a_node_in_focus_shows_what_it_rests_on_its_records_and_where_they_are(
    client_of: ClientOf, connection: Connection
) -> None:
    client = client_of("viewer")
    [(strategy, owner)] = connection.execute(
        "SELECT strategy, wallet FROM signals.decisions WHERE decision_id = 'LATE'"
    ).fetchall()
    key = f"signals/{strategy}~{LAST}~{COIN}~{owner}"
    for path in ("/4d/", "/4d/node/"):
        page = client.get(path, {"from": FIRST, "to": END, "focus": key}).content.decode()
        assert '<a href="/trace/LATE/">' in page, path
        assert f'<a href="/historic/{LAST}/?wallet={owner}">' in page, path
        assert f'<a href="/markets/{COIN}/?as_of=' in page, path
    page = client.get("/4d/", {"from": FIRST, "to": END, "focus": key}).content.decode()
    behind = page.partition("Rests on")[2].partition("Leads to")[0]
    assert "records/candles" in behind
    assert "rawsources/" in behind
    assert client.get("/4d/node/", {"focus": "nope"}).status_code == 404
    for plane, prefix in enumerate(("rawsources", "records", "cleaned", "features", "predictions", "signals")):
        with snapshot():
            graph = read_graph(Range(FIRST, END, "instrument", None, WALLETS), None)
        found = next(node for node in graph.nodes if node.plane == plane)
        assert found.asset.startswith(prefix)
        part = client.get("/4d/node/", {"from": FIRST, "to": END, "focus": found.key})
        assert part.content.decode().count("<tr>") > 5, prefix


def test_a_time_before_the_decision_hides_it(client_of: ClientOf) -> None:
    client = client_of("viewer")
    shown = client.get("/4d/?trace=LATE&t1=2024-01-12T00:02").content.decode()
    hidden = client.get("/4d/?trace=LATE&t1=2024-01-12T00:01").content.decode()
    assert '">LATE</span>' in shown.partition("<h2>Nodes</h2>")[2]
    assert '">LATE</span>' not in hidden.partition("<h2>Nodes</h2>")[2]


def test_what_was_not_known_by_then_is_in_no_panel_list_or_count(client_of: ClientOf) -> None:
    client = client_of("viewer")
    key = f"records/candles~{LAST}~{COIN}~"
    for path in ("/4d/node/", "/4d/"):
        page = client.get(path, {"from": FIRST, "to": END, "focus": key, "t1": f"{LAST}T00:02"}).content.decode()
        panel = page.partition("First known")[2].partition("Picture")[0]
        assert "1m 2024-01-12 00:01" in panel, path
        assert "1m 2024-01-12 00:02" not in panel, path
        assert "later than the time that is shown" in panel, path
    for query in (f"t1={FIRST}T00:00", "planes=7", "planes=0", "slab=1-5", f"mode=window&t0={END}T00:00"):
        page = client.get(f"/4d/?{WHOLE}&{query}").content.decode()
        assert "Look-ahead:" not in page, query
        assert "; 0 relations look ahead" in page, query
    assert "0 nodes and 0 relations on 0 planes" in client.get(f"/4d/?{WHOLE}&planes=0").content.decode()


def test_the_form_holds_all_that_is_filtered_and_its_times_are_utc_to_the_second(client_of: ClientOf) -> None:
    client = client_of("viewer")
    client.cookies[TIME_ZONE_COOKIE] = "America/New_York"
    wanted = {
        "from": str(FIRST), "to": str(END), "mode": "window", "t0": "2024-01-02T00:00:01", "t1": "2024-01-12T12:00:59",
        "planes": "26", "slab": "2-6", "asset": "records/candles", "focus": f"records/candles~{LAST}~{COIN}~",
    }  # fmt: skip
    form = client.get("/4d/", wanted).content.decode().partition("card filters")[2].partition("</form>")[0]
    inputs = re.findall(r"<input ([^>]*)>", form)
    fields: dict[str, str] = {}
    for attributes in inputs:
        values = dict(re.findall(r'(\w+)="([^"]*)"', attributes))
        if values.get("type") == "checkbox" and not attributes.endswith("checked"):
            continue
        before = fields.get("planes", "") if values["name"] == "planes" else ""
        fields[values["name"]] = before + values["value"]
    assert fields | {"mode": "window"} == wanted | {"planes": "026"}
    assert '<option value="window" selected>' in form


def test_the_table_goes_on_over_as_many_pages_as_it_takes(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of("viewer")
    monkeypatch.setattr("dashboard.relations4d.views.SHOWN_NODES", 30)
    address, names = f"?{WHOLE}", list[str]()
    while address:
        page = client.get(f"/4d/{address}").content.decode()
        names += re.findall(r"focus=([^&\"]*)", page.partition("<h2>Nodes</h2>")[2])
        found = re.search(r'rel="next" href="([^"]*)"', page)
        address = unescape(found[1]) if found else ""
    assert len(names) == len(set(names)) == columns(client, WHOLE)["head"]["nodes"]


def test_rows_of_a_source_add_up_to_those_that_were_read_from_it(client_of: ClientOf) -> None:
    client = client_of("viewer")
    for level in ("asset", "day", "instrument"):
        rows = columns(client, f"{WHOLE}&level={level}")
        by_plane = [int(rows["rows"][rows["plane"] == plane].sum()) for plane in (0, 1)]
        assert by_plane[0] == by_plane[1] > 0, level


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("from=1924-01-01&to=2024-01-01", 400), ("from=2024-02-01&to=2024-01-01", 400), ("from=x", 400),
        ("from=9999-12-31&to=9999-12-31", 200), ("level=atoms", 404), ("mode=now", 404), ("wallet=nobodys", 404),
        ("listing=x&planes=99&t1=x&t0=9999999999999999999&focus=%27", 200), ("asset=%00", 404), ("to=0001-01-01", 400),
    ],
)  # fmt: skip
def test_a_wish_that_makes_no_sense_or_is_too_long_is_refused_with_words(
    query: str, status: int, client_of: ClientOf
) -> None:
    client = client_of("viewer")
    for path in ("/4d/", "/4d/columns/"):
        answer = client.get(f"{path}?{query}")
        assert answer.status_code == status, path
        if status == 400:
            assert "newest days" in answer.content.decode(), path


def test_more_than_fits_is_shown_coarser_and_the_page_says_so(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of("viewer")
    monkeypatch.setattr(gateway, "MOST_NODES", 20)
    page = client.get(f"/4d/?{WHOLE}").content.decode()
    assert re.search(r"\d+ nodes would be too many. Narrow to \d days", page)
    assert columns(client, WHOLE)["head"]["level"] == "day"
    monkeypatch.setattr(gateway, "MOST_DAY_NODES", 20)
    assert columns(client, WHOLE)["head"]["level"] == "asset"


def test_pages_ask_at_most_twelve_queries(client_of: ClientOf) -> None:
    client = client_of("viewer")
    key = f"records/candles~{LAST}~{COIN}~"
    for path in (
        f"/4d/?{WHOLE}&focus={key}",
        "/4d/?trace=LATE",
        f"/4d/columns/?{WHOLE}",
        f"/4d/node/?{WHOLE}&focus={key}",
    ):
        with (
            CaptureQueriesContext(connections["default"]) as own,
            CaptureQueriesContext(connections["layers"]) as layers,
        ):
            assert client.get(path).status_code == 200, path
        asked = [query["sql"] for query in [*own.captured_queries, *layers.captured_queries]]
        asked = [text for text in asked if text not in ("BEGIN", "COMMIT")]
        assert len(asked) <= MOST_QUERIES, "\n".join([path, *asked])


def test_each_plane_has_a_name_and_its_records() -> None:
    assert len(PLANE_NAMES) == len(PLANES) == len(ALL_PLANES) == len(QUERIES)
    assert {plane_of(asset) for asset in ("trading/orders", "trading/fills", "results/x", "signals/y")} == {5, 6, 7, 8}


def test_before_the_first_run_the_page_says_what_will_stand_here(client_of: ClientOf, site: str) -> None:
    with connect(site, role="strades_dbt") as dbt:
        dbt.execute("DROP TABLE marts.lineage_edges")
    page = client_of("viewer").get("/4d/").content.decode()
    assert "a run works out what rests on what" in page
    assert "<script" not in page


def test_the_script_and_the_page_weigh_little() -> None:
    import gzip

    script = (Path(dashboard.__file__).parent / "static" / "dashboard" / "graph4d.js").read_bytes()
    assert len(gzip.compress(script, 9)) <= MOST_SCRIPT
