"""How often a host may be asked, by all processes together, and when its circuit opens."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.database.connection import connect
from strades_pipelines.datamanager.host_limits import (
    FAILURE,
    LONGEST_PAUSE,
    OPEN_AT,
    PROBE,
    TIMEOUT,
    HostLimits,
    HostState,
    Turn,
    after_answer,
    after_failure,
    after_pause,
    check,
    read_hosts,
    reserve,
    seen_at,
)

T0 = datetime(2026, 11, 1, tzinfo=UTC)
HOST = "api.example.org"
NEW = HostState(1, T0, T0)
Connection = psycopg.Connection[Any]

TOKENS = 200
# Takes tokens once it is told to, says so, and never sends anything.
TAKER = f"""
import sys
from strades_pipelines.database.connection import connect
from strades_pipelines.datamanager.host_limits import HostLimits
with connect(sys.argv[1]) as connection:
    limits = HostLimits(connection, 300)
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range({TOKENS}):
        limits.reserve("{HOST}", rate=10, burst=1, longest_wait=1e6)
    print("taken", flush=True)
    sys.stdin.read()
"""


def taker(url: str) -> "subprocess.Popen[str]":
    """A process that is ready to take `TOKENS` tokens, and then waits to be ended."""
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", TAKER, url], stdin=pipe, stdout=pipe, text=True, bufsize=1)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def opened(state: HostState, now: datetime) -> HostState:
    """The state after three time-outs in a row."""
    for _ in range(3):
        state = after_failure(state, now, TIMEOUT, "no answer")
    return state


def sent_times(gaps: list[float], *, rate: float, burst: int) -> list[float]:
    """When requests go out that are wanted after those gaps, in seconds."""
    state, now, times = NEW, T0, []
    for gap in gaps:
        now += timedelta(seconds=gap)
        state, turn = reserve(seen_at(state, now), now, rate=rate, burst=burst, longest_wait=1e9, longest_pause=1e9)
        times.append((now - T0).total_seconds() + turn.wait)
    return times


@given(st.lists(st.floats(0, 3), min_size=1, max_size=40), st.sampled_from([0.5, 2.0, 10.0]), st.integers(1, 5))
def test_no_window_holds_more_than_the_bucket_and_what_came_in_since(
    gaps: list[float], rate: float, burst: int
) -> None:
    times = sent_times(gaps, rate=rate, burst=burst)
    assert times == sorted(times)
    for first in range(len(times)):
        for last in range(first, len(times)):
            assert last - first + 1 <= burst + rate * (times[last] - times[first]) + 1e-3


def test_an_idle_host_is_asked_at_once_and_no_token_is_saved_up_beyond_the_burst() -> None:
    assert sent_times([0, 0, 0, 0, 100, 0, 0, 0], rate=2, burst=3) == [0, 0, 0, 0.5, 100, 100, 100, 100.5]


def test_a_token_that_would_come_too_late_is_not_taken() -> None:
    state, _ = reserve(NEW, T0, rate=1, burst=1, longest_wait=10, longest_pause=300)
    refused, turn = reserve(state, T0, rate=1, burst=1, longest_wait=0.5, longest_pause=300)
    assert (refused, turn.wait, turn.refusal) == (state, 1.0, None)


def test_a_pause_holds_all_back_and_a_long_one_sends_them_away() -> None:
    state = after_pause(NEW, T0, 30, "HTTP 429")
    _, turn = reserve(state, at(10), rate=1, burst=1, longest_wait=60, longest_pause=300)
    assert (turn.wait, turn.refusal) == (20, None)
    assert check(state, at(30), longest_pause=300).wait == 0
    assert after_pause(state, T0, 10, "a shorter one") == state
    long = after_pause(state, T0, 301, "HTTP 418")
    assert check(long, T0, longest_pause=300).refusal == "HTTP 418"
    assert after_answer(long).blocked_until == long.blocked_until  # a straggler's answer does not end it
    assert after_pause(NEW, T0, 1e300, "for ever").blocked_until == T0 + LONGEST_PAUSE


def test_the_circuit_opens_after_three_timeouts_or_fifteen_other_failures_in_a_row() -> None:
    state = NEW
    for n in range(1, OPEN_AT + 1):
        state = after_failure(state, T0, FAILURE, "HTTP 500")
        assert state.is_open == (n == OPEN_AT)
    assert not after_answer(state).is_open
    two = after_failure(after_failure(NEW, T0, TIMEOUT, "no answer"), T0, TIMEOUT, "no answer")
    assert (two.is_open, opened(NEW, T0).is_open) == (False, True)


def test_one_request_tries_an_open_circuit_and_its_outcome_decides() -> None:
    def take(state: HostState, now: datetime) -> tuple[HostState, Turn]:
        return reserve(state, now, rate=10, burst=1, longest_wait=60, longest_pause=300)

    state = opened(NEW, T0)
    assert [state.word(at(seconds)) for seconds in (0, 29, 30)] == ["open", "open", "half-open"]
    assert take(state, at(29))[1].refusal == "no answer"
    tried, turn = take(state, at(30))
    assert (turn.wait, turn.refusal, turn.is_troubled) == (0, None, True)
    assert take(tried, at(31))[1].refusal == "no answer"
    assert after_answer(tried).word(at(31)) == "closed"
    failed = after_failure(tried, at(32), TIMEOUT, "no answer")
    assert (failed.word(at(32 + 59)), failed.word(at(32 + 60))) == ("open", "half-open")  # twice as long
    spared, turn = take(tried, at(30) + PROBE)  # nothing was heard of the first
    assert turn.refusal == "no answer; another question tries it"
    assert take(spared, at(30) + PROBE)[1].refusal is None


def test_a_question_that_always_fails_is_not_the_only_one_that_tries() -> None:
    """Each run asks in the same order. The first two get HTTP 500 for ever, the others an answer."""
    state, runs = opened(NEW, T0), 0
    while state.is_open and runs < 10:
        runs += 1
        now = at(3600 * runs)
        for number in range(20):
            state, turn = reserve(seen_at(state, now), now, rate=10, burst=4, longest_wait=60, longest_pause=300)
            if turn.refusal is None:
                state = after_failure(state, now, FAILURE, "HTTP 500") if number < 2 else after_answer(state)
    assert runs == 3


def test_a_question_that_tries_may_go_out_when_its_token_comes_and_no_other_goes_beside_it() -> None:
    def take(state: HostState, now: datetime) -> tuple[HostState, Turn]:
        return reserve(state, now, rate=0.05, burst=1, longest_wait=300, longest_pause=300)

    state, _ = take(NEW, T0)
    state, waiting = take(state, T0)
    state, probe = take(opened(state, at(1)), at(32))
    assert (waiting.is_probe, probe.is_probe, probe.wait) == (False, True, 8.0)
    assert check(state, at(40), longest_pause=300).refusal == "no answer"  # of the one that had its token before
    assert check(opened(NEW, T0), at(31), longest_pause=300).must_reserve  # half-open: one tries, by `reserve` alone


@given(st.integers(1, 20), st.floats(0.1, 120), st.integers(1, 4))
def test_the_end_of_a_pause_lets_no_more_go_than_the_bucket_holds(count: int, pause: float, burst: int) -> None:
    words: dict[str, Any] = {"rate": 1, "burst": burst, "longest_wait": 1e9, "longest_pause": 1e9}
    state, sent, waits = NEW, [], []
    for _ in range(count):
        state, turn = reserve(state, T0, **words)
        waits.append(turn.wait)
    state = after_pause(state, T0, pause, "HTTP 429")
    for wait in waits:
        now = at(wait)
        if check(state, now, longest_pause=1e9).must_reserve:
            state, turn = reserve(state, now, **words)
            now += timedelta(seconds=turn.wait)
        sent.append(now)
    times = sorted((now - T0).total_seconds() for now in sent)
    assert all(later - first >= 1 - 1e-3 for first, later in zip(times, times[burst:], strict=False))


@given(st.floats(-1e7, 1e7), st.floats(0, 1e5))
def test_a_clock_that_jumps_starves_nobody_and_lets_nobody_in_early_that_a_pause_holds(
    jump: float, pause: float
) -> None:
    state, _ = reserve(NEW, T0, rate=1, burst=1, longest_wait=1, longest_pause=1e9)
    state = after_pause(state, T0, pause, "HTTP 429")
    after = T0 + timedelta(seconds=jump)
    _, turn = reserve(seen_at(state, after), after, rate=1, burst=1, longest_wait=1e9, longest_pause=1e9)
    whole = max(1.0, min(pause, LONGEST_PAUSE.total_seconds()))
    assert turn.wait == pytest.approx(whole if jump <= 0 else max(0.0, whole - jump), abs=1e-3)


def test_two_processes_share_a_bucket_and_a_killed_one_takes_no_more_than_its_tokens(database_url: str) -> None:
    processes = [taker(database_url) for _ in range(2)]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        started = monotonic()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "taken\n"
        processes[0].kill()
        with connect(database_url) as connection:
            left = HostLimits(connection, 300).reserve(HOST, rate=10, burst=1, longest_wait=1e6).wait
            [row] = read_hosts(connection)
        # 400 tokens at 10 a second: the next comes 40 s after the first, whoever took them, and whoever is dead.
        assert 40 - (monotonic() - started) <= left <= 40
        assert (row.host, row.word, row.requests_per_second) == (HOST, "closed", 10)
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_a_clock_that_was_set_back_is_told_by_the_row(connection: Connection) -> None:
    limits = HostLimits(connection, 300)
    limits.pause(HOST, 20, "HTTP 429")
    # As if the clock stood an hour further on when the row was written.
    connection.execute(
        "UPDATE ops.host_limits SET looked_at = looked_at + interval '1 hour', full_at = full_at + interval '1 hour',"
        " blocked_until = blocked_until + interval '1 hour'"
    )
    connection.commit()
    assert 19 < limits.check(HOST).wait <= 20
    assert 19 < limits.reserve(HOST, rate=10, burst=1, longest_wait=60).wait <= 20
    [row] = read_hosts(connection)
    assert row.line.startswith(f"{HOST}: paused until ")
    assert limits.release(HOST)
    assert limits.check(HOST).wait == 0
    assert not limits.release("nobody.example.org")
