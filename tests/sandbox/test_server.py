"""The server as a whole: health, limits, conditional requests, misbehaviour, and where it agrees to listen."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException, IncompleteRead
from pathlib import Path

import pytest

from sandbox.limits import LIMITS, Limiter
from sandbox.misbehaviour import KINDS, RuleError, corrupted, rule_from
from tests.sandbox.serving import SEED, Served
from tests.waiting import MOMENT

PROJECT = Path(__file__).resolve().parents[2]
RATES = "www.ecb.europa.eu/stats/eurofxref/eurofxref-daily.xml"
CANDLES = "api.gateio.ws/api/v4/spot/candlesticks?currency_pair=BTC_USDT&interval=1h&limit=2"


def test_health_says_who_and_when(server: Served) -> None:
    assert server.get("-/health").json() == {
        "name": "strades-sandbox",
        "now": "2026-11-01T00:00:30Z",
        "clock_held": True,
        "seed": SEED,
    }


def test_the_same_question_has_the_same_answer_to_the_header(server: Served) -> None:
    one, two = server.get(RATES), server.get(RATES)
    assert one == two
    assert one.headers["date"] == "Sun, 01 Nov 2026 00:00:30 GMT"


@pytest.mark.parametrize("path", [RATES, "query1.finance.yahoo.com/v8/finance/chart/IBM?period1=0&period2=1400000000"])
def test_an_unchanged_answer_is_not_sent_again(server: Served, path: str) -> None:
    first = server.get(path)
    tag = first.headers["etag"]
    for condition in ({"If-None-Match": tag}, {"If-None-Match": f'"other", W/{tag}'}):
        again = server.get(path, condition)
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert server.get(path, {"If-None-Match": '"other"'}).body == first.body
    if "last-modified" in first.headers:
        modified = {"If-Modified-Since": first.headers["last-modified"]}
        assert server.get(path, modified).status == 304
        assert server.get(path, {**modified, "If-None-Match": '"other"'}).status == 200


def test_the_201st_request_in_a_moment_is_one_too_many(server: Served) -> None:
    # By the limiter's own clock, so that the test takes no time.
    clock = [100.0]
    server.app.limiter.clock = lambda: clock[0]
    try:
        remaining = [int(server.get(CANDLES).headers["x-gate-ratelimit-requests-remain"]) for _ in range(3)]
        assert remaining == [199, 198, 197]
        for _ in range(197):
            assert server.app.limiter.take("api.gateio.ws", "api/v4/spot/candlesticks")
        refused = server.get(CANDLES)
        assert (refused.status, refused.json()["label"], refused.headers["retry-after"]) == (
            429,
            "TOO_MANY_REQUESTS",
            "1",
        )
        assert server.get(CANDLES.replace("candlesticks", "trades")).status == 200  # counted by endpoint
        clock[0] += 1
        assert server.get(CANDLES).status == 200
    finally:
        server.app.limiter = Limiter()


@pytest.mark.parametrize("host", sorted(LIMITS))
def test_a_bucket_gives_its_capacity_at_once_and_its_rate_ever_after(host: str) -> None:
    clock = [0.0]
    limiter, limit = Limiter(clock=lambda: clock[0]), LIMITS[host]
    first = [limiter.take(host, "x") for _ in range(limit.capacity + 1)]
    assert [taken.wait == 0 for taken in first if taken] == [True] * limit.capacity + [False]
    clock[0] += limit.seconds / 4
    passed = [limiter.take(host, "x") for _ in range(limit.capacity)]
    assert sum(taken.wait == 0 for taken in passed if taken) == limit.capacity // 4


def test_other_hosts_have_no_limit() -> None:
    assert Limiter().take("h.example", "x") is None


@pytest.mark.parametrize(
    ("kind", "status"), [("html200", 200), ("429", 429), ("500", 500), ("empty", 200), ("slow", 200)]
)
def test_misbehaviour_happens_as_often_as_told_and_where_told(server: Served, kind: str, status: int) -> None:
    good = server.get(RATES)
    server.misbehave("www.ecb.europa.eu", kind, path_prefix="/stats/", times=1, seconds=0)
    assert server.get(CANDLES).status == 200
    bad = server.get(RATES)
    assert bad.status == status
    assert (bad.body == good.body) == (kind == "slow")
    assert server.get(RATES) == good


def test_a_truncated_answer_promises_more_than_it_brings(server: Served) -> None:
    good = server.get(RATES)
    server.misbehave("www.ecb.europa.eu", "truncated", times=1)
    with pytest.raises(IncompleteRead) as cut:
        server.get(RATES)
    assert good.body.startswith(cut.value.partial)
    assert 0 < len(cut.value.partial) < len(good.body)


def test_a_refused_connection_brings_nothing(server: Served) -> None:
    server.misbehave("www.ecb.europa.eu", "refuse", times=1)
    with pytest.raises((ConnectionError, HTTPException)):
        server.get(RATES)
    assert server.get(RATES).status == 200


def test_a_corrupt_answer_has_the_promised_length(server: Served) -> None:
    good = server.get(RATES)
    server.misbehave("www.ecb.europa.eu", "corrupt", times=1)
    bad = server.get(RATES)
    assert len(bad.body) == len(good.body)
    assert bad.body == corrupted(good.body) != good.body


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"kind": "500"}, "host"),
        ({"host": "h", "kind": "rude"}, "'rude'"),
        ({"host": "h", "kind": "500", "times": 0}, "times"),
        ({"host": "h", "kind": "500", "surprise": 1}, "surprise"),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused(rule: dict[str, object], said: str) -> None:
    with pytest.raises(RuleError, match=said):
        rule_from(rule)
    assert all(rule_from({"host": "h", "kind": kind}).times is None for kind in KINDS)


def test_what_was_asked_can_be_looked_up(server: Served) -> None:
    server.get(CANDLES, {"User-Agent": "me/1", "If-None-Match": '"x"'})
    (asked,) = server.get("-/requests").json()
    assert (asked["host"], asked["path"], asked["status"]) == ("api.gateio.ws", "api/v4/spot/candlesticks", 200)
    assert (asked["user_agent"], asked["conditional"]) == ("me/1", True)


def test_a_request_still_being_answered_when_the_list_is_begun_anew_is_not_in_the_new_one(server: Served) -> None:
    """A client that was killed has its slow answer made to the end, long after: another test found it in its list."""
    server.misbehave("www.ecb.europa.eu", "slow", times=1, seconds=1)
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(server.get, RATES)
        while server.app.rules.rules[0].times:  # until the rule is taken, which is when the request is under way
            time.sleep(0.01)
        server.reset()
        assert slow.result().status == 200
    assert list(server.app.asked) == []


def test_an_unknown_host_is_told_what_to_do(server: Served) -> None:
    reply = server.get("unknown.example/x")
    assert reply.status == 404
    assert b"sandbox/extra/unknown.example/x" in reply.body


def start(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command where it must not stay."""
    environment = {**os.environ, "STRADES_SANDBOX_URL": url}
    command = [sys.executable, "-m", "sandbox", *arguments]
    return subprocess.run(
        command, env=environment, cwd=PROJECT, capture_output=True, text=True, timeout=MOMENT, check=False
    )


def test_it_does_not_start_where_it_must_not_or_cannot() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = f"http://127.0.0.1:{holder.getsockname()[1]}"
        cases = [
            (taken, "cannot listen"),
            ("http://0.0.0.0:8090", "loopback"),
            ("http://sandbox.example:8090", "127.0.0.1"),
        ]
        for url, said in cases:
            done = start(url)
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
            assert said in done.stderr
    done = start("http://127.0.0.1:8090", "--misbehave", '{"host": "h", "kind": "rude"}')
    assert (done.returncode, "rude" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {}),  # urllib sends what a form sends
        ("POST", {"Content-Type": "text/plain"}),
        ("POST", {"Content-Type": "application/json", "Origin": "http://evil.example"}),
        ("POST", {"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"}),
        ("POST", {"Content-Type": "application/json", "Host": "evil.example"}),
        ("DELETE", {"Origin": "null"}),
        ("OPTIONS", {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}),
        ("GET", {"Host": "evil.example"}),
    ],
)
def test_a_foreign_page_can_not_turn_its_switches(server: Served, method: str, headers: dict[str, str]) -> None:
    rule = b'{"host": "www.ecb.europa.eu", "kind": "500"}' if method == "POST" else None
    for path in ("-/misbehave", "/-/misbehave", "-/misbehave?a=b"):
        request = urllib.request.Request(f"{server.url}/{path}", rule, headers, method=method)
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(request, timeout=20)
    assert server.get("-/misbehave").json() == []
