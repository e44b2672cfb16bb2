"""What a foreign page can send is refused and changes nothing; our own pages and Dagster's clients are served."""

import json
import urllib.request
from socket import create_connection
from urllib.parse import quote

import pytest
from dagster_graphql import DagsterGraphQLClient
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from tests.serving.serving import LAUNCH, SELECTOR, Served

JSON = ("Content-Type", "application/json")
EVIL = ("Origin", "http://evil.example")
QUERY = json.dumps({"query": "{ version }"})
START = "mutation($selector: SensorSelector!) { startSensor(sensorSelector: $selector) { __typename } }"
REPORTS = {
    "report_asset_materialization/bars": "partition=2012-03-01",
    "report_asset_check/bars": "check_name=is_complete&passed=true",
    "report_asset_observation/bars": "data_version=1",
}
CROSS_SITE_NAVIGATION = [
    ("Sec-Fetch-Site", "cross-site"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Dest", "document"),
]

QUERY_STRING_REQUESTS: list[tuple[str, list[tuple[str, str]]]] = [
    ("GET", []),  # an image, or a link: what a browser before Sec-Fetch-Site sends
    ("GET", [("X-HTTP-Method-Override", "POST")]),
    ("GET", CROSS_SITE_NAVIGATION),
    ("GET", [("Accept", "text/html")]),
    ("GET", [EVIL]),
    ("HEAD", []),
    ("POST", []),
    ("POST", [JSON]),
    ("POST", [("Content-Type", "text/plain")]),
    ("POST", [("Content-Type", "application/x-www-form-urlencoded")]),
    ("OPTIONS", []),
    ("PUT", [JSON]),
    ("TRACE", []),
]

FOREIGN_POSTS = [
    [JSON, EVIL],
    [JSON, ("Origin", "null")],
    [JSON, ("Origin", "https://127.0.0.1:{port}")],
    [JSON, ("Origin", "http://localhost:{port}")],  # ours, but not that of the host asked
    [JSON, ("Origin", "http://127.0.0.1:1")],
    [JSON, ("Origin", "http://127.0.0.1:{port}.evil.example")],
    [JSON, ("Origin", "http://127.0.0.1:{port}"), EVIL],
    [JSON, ("Sec-Fetch-Site", "cross-site")],
    [JSON, ("Sec-Fetch-Site", "same-site")],
    [JSON, ("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")],
    [JSON, *CROSS_SITE_NAVIGATION],
    [JSON, ("Referer", "http://evil.example/page")],
    [JSON, ("Host", "evil.example:{port}")],  # DNS rebinding
    [JSON, ("Host", "evil.example:{port}"), ("Origin", "http://evil.example:{port}")],
    [JSON, ("Host", "127.0.0.1")],
    [JSON, ("Host", "127.0.0.1:1")],
    [JSON, ("Host", "127.0.0.1.:{port}")],
    [JSON, ("Host", "127.0.0.1:{port}@evil.example")],
    [JSON, ("Host", "")],
    [JSON, ("Host", "evil.example"), ("X-Forwarded-Host", "127.0.0.1:{port}")],
    [JSON, JSON],
    [("Content-Type", "text/plain")],
    [("Content-Type", "text/plain; application/json")],  # Dagster looks for the words anywhere in it
    [("Content-Type", "text/plain; charset=application/json")],
    [("Content-Type", "multipart/form-data; boundary=application/json")],
    [("Content-Type", "application/graphql")],
    [("Content-Type", "application/jsonx")],
    [],
]

FOREIGN_REPORTS: list[tuple[str, list[tuple[str, str]], str]] = [
    ("POST", [], ""),  # sendBeacon and an empty form send no type
    ("POST", [("Content-Type", "application/x-www-form-urlencoded")], "a=b"),
    ("POST", [("Content-Type", "text/plain")], "{}"),
    ("POST", [JSON, EVIL], "{}"),
    ("POST", [JSON, ("Origin", "null")], "{}"),
    ("POST", [JSON, ("Host", "evil.example")], "{}"),
    ("POST", [JSON, ("Sec-Fetch-Site", "cross-site")], "{}"),
    ("GET", CROSS_SITE_NAVIGATION, ""),
    ("OPTIONS", [EVIL, ("Access-Control-Request-Method", "POST")], ""),
]


def filled(headers: list[tuple[str, str]], served: Served) -> list[tuple[str, str]]:
    """The headers with the port of the webserver."""
    return [(name, value.format(port=served.port)) for name, value in headers]


def stop(served: Served) -> str:
    """The body of a POST that stops the sensor."""
    return json.dumps({"query": served.stop_mutation()})


def test_a_mutation_in_the_query_string_is_refused_by_every_method_and_spelling(served: Served) -> None:
    mutations = (served.stop_mutation(), LAUNCH)
    with served.unchanged():
        answered = [
            (method, path, extra)
            for mutation in mutations
            for path in ("/graphql", "/%67raphql", "//graphql", "/graphql/", "/GraphQL")
            for method, extra in QUERY_STRING_REQUESTS
            if served.send(method, f"{path}?query={quote(mutation)}", extra)[0] != 403
        ]
    assert not answered


def test_every_post_that_a_foreign_page_can_send_is_refused(served: Served) -> None:
    body = stop(served)
    with served.unchanged():
        answered = [
            headers
            for headers in FOREIGN_POSTS
            if served.send("POST", "/graphql", filled(headers, served), body)[0] != 403
        ]
    assert not answered


def test_every_report_that_a_foreign_page_can_send_is_refused(served: Served) -> None:
    with served.unchanged():
        answered = [
            (report, method, headers)
            for report, query in REPORTS.items()
            for method, headers, body in FOREIGN_REPORTS
            if served.send(method, f"/{report}?{query}", headers, body)[0] != 403
        ]
    assert not answered


def test_a_preflight_is_refused_and_allows_nothing(served: Served) -> None:
    headers = [EVIL, ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "content-type")]
    assert served.send("OPTIONS", "/graphql", headers) == (403, "refused: the Origin header names another site\n")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:{port}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
    ],
)
def test_a_foreign_web_socket_is_refused(served: Served, headers: dict[str, str]) -> None:
    sent = {name: value.format(port=served.port) for name, value in headers.items()}
    host = sent.pop("Host", f"127.0.0.1:{served.port}")
    opened = create_connection(("127.0.0.1", served.port))
    with (
        pytest.raises(InvalidStatus, match="403"),
        connect(f"ws://{host}/graphql", sock=opened, additional_headers=sent, proxy=None),
    ):
        pass


@pytest.mark.parametrize(
    "path", ["/graphql", "/logs/a/b.err", "/download_debug/x", "/server_info", "/notebook", "/_next/x"]
)
def test_a_link_elsewhere_leads_to_pages_only(served: Served, path: str) -> None:
    assert served.send("GET", path, CROSS_SITE_NAVIGATION)[0] == 403


@pytest.mark.parametrize("path", ["/", "/runs", "/assets/cleaned/daily_bars?view=overview"])
def test_a_link_elsewhere_leads_to_a_page_that_no_other_may_frame(served: Served, path: str) -> None:
    status, body = served.send("GET", path, CROSS_SITE_NAVIGATION)
    assert (status, "<!DOCTYPE html>" in body or "<html" in body) == (200, True)
    framed = [*CROSS_SITE_NAVIGATION[:2], ("Sec-Fetch-Dest", "iframe")]
    assert served.send("GET", path, framed)[0] == 403


def test_no_other_site_may_frame_or_embed_what_is_served(served: Served) -> None:
    with urllib.request.urlopen(f"{served.url}/") as response:
        policies = response.headers.get_all("Content-Security-Policy")
        assert "frame-ancestors 'none'" in policies
        assert any("script-src 'nonce-" in policy for policy in policies)
        assert response.headers["X-Frame-Options"] == "DENY"
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert response.headers["Access-Control-Allow-Origin"] is None


def own(host: str, scheme: str = "http") -> list[tuple[str, str]]:
    """What a browser sends from our own page at `host`."""
    return [
        JSON,
        ("Host", host),
        ("Origin", f"{scheme}://{host}"),
        ("Referer", f"{scheme}://{host}/runs?q=1"),
        ("Sec-Fetch-Site", "same-origin"),
        ("Sec-Fetch-Mode", "cors"),
        ("Sec-Fetch-Dest", "empty"),
    ]


@pytest.mark.parametrize(
    ("host", "scheme"),
    [
        ("127.0.0.1:{port}", "http"),
        ("localhost:{port}", "http"),
        ("[::1]:{port}", "http"),
        ("strades.example.org", "https"),
        ("box.example.org:8000", "http"),
    ],
)
def test_our_own_page_is_served_under_each_of_its_names(served: Served, host: str, scheme: str) -> None:
    headers = own(host.format(port=served.port), scheme)
    status, body = served.send("POST", "/graphql", headers, QUERY)
    assert (status, set(json.loads(body)["data"])) == (200, {"version"})
    assert served.send("POST", "/graphql?op=VersionQuery", headers, QUERY)[0] == 200  # as Dagster's pages do
    assert served.send("GET", "/", headers[1:2])[0] == 200
    other = "https" if scheme == "http" else "http"
    assert served.send("POST", "/graphql", own(host.format(port=served.port), other), QUERY)[0] == 403


def test_a_client_that_is_no_browser_is_served(served: Served) -> None:
    client = DagsterGraphQLClient("127.0.0.1", port_number=served.port)
    assert client._execute("{ version }")["version"]
    assert served.send("GET", "/server_info")[0] == 200
    assert served.send("POST", "/graphql", [("content-type", "application/json; charset=utf-8")], QUERY)[0] == 200


@pytest.mark.parametrize("origin", [None, "http://127.0.0.1:{port}"])
def test_a_subscription_of_our_own_is_served(served: Served, origin: str | None) -> None:
    sent = Origin(origin.format(port=served.port)) if origin else None
    url, protocols = f"ws://127.0.0.1:{served.port}/graphql", [Subprotocol("graphql-ws")]
    with connect(url, origin=sent, subprotocols=protocols, proxy=None) as socket:
        socket.send(json.dumps({"type": "connection_init"}))
        assert json.loads(socket.recv(timeout=30)) == {"type": "connection_ack"}


def test_the_readonly_webserver_shows_and_changes_nothing(readonly: Served) -> None:
    headers = own(f"127.0.0.1:{readonly.port}")
    with readonly.unchanged():
        assert readonly.send("GET", "/dagster/")[0] == 200
        for mutation in (readonly.stop_mutation(), LAUNCH):
            body = json.dumps({"query": mutation})
            assert "UnauthorizedError" in readonly.send("POST", "/dagster/graphql", headers, body)[1]
        for report, query in REPORTS.items():
            assert readonly.send("POST", f"/dagster/{report}?{query}", headers, "{}")[0] == 401


def test_who_may_start_runs_may_not_give_the_code_location_code_or_have_it_read_a_file(served: Served) -> None:
    """Of what a later Dagster may turn on: components written in its pages, and notebooks by their path."""
    headers = own(f"127.0.0.1:{served.port}")
    words = ('locationName: "strades"', 'componentId: "../../x"', 'componentType: "os.system"', 'attributes: "{}"')
    component = f"mutation {{ setAppManagedComponent({', '.join(words)}) {{ __typename }} }}"
    answer = served.send("POST", "/graphql", headers, json.dumps({"query": component}))[1]
    assert "UnauthorizedError" in answer
    answer = served.send("GET", f"/notebook?repoLocName=strades&path={quote(__file__)}.ipynb", headers[:1])[1]
    assert "nbconvert, which is not installed" in answer


def test_a_path_prefix_changes_no_rule(readonly: Served) -> None:
    headers = own(f"127.0.0.1:{readonly.port}")
    assert readonly.send("GET", "/dagster/runs", CROSS_SITE_NAVIGATION)[0] == 200
    assert readonly.send("POST", "/dagster/graphql", headers, QUERY)[0] == 200
    assert readonly.send("GET", f"/dagster/graphql?query={quote('{ version }')}")[0] == 403
    assert readonly.send("GET", "/dagster/graphql", CROSS_SITE_NAVIGATION)[0] == 403
    assert readonly.send("POST", "/dagster/graphql", [JSON, EVIL], QUERY)[0] == 403


def test_our_own_page_can_do_what_it_is_for(served: Served) -> None:
    headers = own(f"127.0.0.1:{served.port}")
    before = served.state()
    for report, query in REPORTS.items():
        assert served.send("POST", f"/{report}?{query}", headers, "{}")[0] == 200
    assert "Error" not in served.send("POST", "/graphql", headers, stop(served))[1]
    after = served.state()
    assert after.pop("sensor") == "STOPPED"
    more = {"materializations": 1, "observations": 1, "checks": 1, "runs": 0}
    assert {name: after[name] - before[name] for name in after} == more
    start = json.dumps({"query": START, "variables": {"selector": {**SELECTOR, "sensorName": "trade_sensor"}}})
    assert "Error" not in served.send("POST", "/graphql", headers, start)[1]
