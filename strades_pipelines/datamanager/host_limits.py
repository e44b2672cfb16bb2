"""How often a host may be asked, by all processes together: a token bucket and a circuit breaker for each host.

The bucket is kept as virtual scheduling (GCRA, ITU-T I.371): `full_at` is when it is full again, and each request moves
it on by the seconds that it costs. So protocols of one host may have rates of their own, and a process that is
killed takes at most the requests with it that it was about to send; time gives their tokens back.

The circuit opens after failures in a row that say that the host is down. While it is open nobody asks; after a
cool-down one process sends one request. Its answer closes the circuit, its failure opens it for twice as long; where
nothing is heard of it, another process tries. After n failed tries the next n requests (at most three) are spared:
a run asks in the same order each time, and its first question may be the only one that fails.

All times are of the database's clock, which the processes share. One that was set back would make tokens and pauses
come hours late: `looked_at` tells of it, and every time is moved back by as much.
"""

from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import psycopg

OPEN_AT = 15  # weight of the failures in a row that open the circuit
FAILURE, TIMEOUT = 1, 5  # a time-out has cost a whole `timeout_seconds`: three in a row are enough
FIRST_COOL_DOWN, LONGEST_COOL_DOWN = timedelta(seconds=30), timedelta(minutes=10)
SPARED = 4  # before each try 0 to 3 requests are spared, in turn
PROBE = timedelta(minutes=1)  # that the one request of a half-open circuit has to be heard of
LONGEST_PAUSE = timedelta(days=1)  # a host may ask for years, by mistake or with intent
LONGEST_REASON = 200
NO_TIME = timedelta(0)
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

COLUMNS = "requests_per_second, full_at, looked_at, blocked_until, blocked_because, failures, probes, spared"
NEW = f"""
    INSERT INTO ops.host_limits (host, {COLUMNS}) VALUES (%s, 1, %s, %s, NULL, NULL, 0, 0, 0) ON CONFLICT DO NOTHING
"""
CLOCK = "SELECT clock_timestamp()"  # asked with the lock held: earlier, it might be before `looked_at`
STATE = f"SELECT {COLUMNS} FROM ops.host_limits WHERE host = %s"
LOCKED = f"{STATE} FOR NO KEY UPDATE"
RELEASE = """
    UPDATE ops.host_limits SET blocked_until = NULL, blocked_because = NULL, failures = 0, probes = 0, spared = 0
    WHERE host = %s
"""
CHANGE = f"UPDATE ops.host_limits SET ({COLUMNS}) = (%s, %s, %s, %s, %s, %s, %s, %s) WHERE host = %s"
QUERY = f"SELECT host, clock_timestamp() AS read_at, {COLUMNS} FROM ops.host_limits ORDER BY host"
# A process that is suspended between the two statements would hold every other one up; a token that a crash of the
# server takes back is no harm.
BRIEFLY = "SET LOCAL idle_in_transaction_session_timeout = '5s'; SET LOCAL synchronous_commit = off"


@dataclass(frozen=True)
class HostState:
    """What is known of a host, times UTC. `failures` is a weight, `probes` a number, both since the last answer.

    `spared` counts the requests that were refused since the last try so that another one may try.
    """

    requests_per_second: float
    full_at: datetime
    looked_at: datetime
    blocked_until: datetime | None = None
    blocked_because: str | None = None
    failures: int = 0
    probes: int = 0
    spared: int = 0

    @property
    def is_open(self) -> bool:
        """Whether the circuit is open, or half-open."""
        return self.failures >= OPEN_AT

    def word(self, now: datetime) -> str:
        """`open` or `half-open` of the circuit, else `paused` as the host asked for, or `closed`: requests go out."""
        is_blocked = self.blocked_until is not None and self.blocked_until > now
        if self.is_open:
            return "open" if is_blocked else "half-open"
        return "paused" if is_blocked else "closed"


@dataclass(frozen=True)
class Turn:
    """When a request may be sent: after `wait` seconds; never now, where `refusal` says why.

    Args:
        is_troubled: failures are counted against the host: an answer is worth telling.
        is_probe: it is the one that tries a host whose circuit is open.
        must_reserve: the host was held back after the token was taken, which is worth nothing any more.
    """

    wait: float = 0.0
    refusal: str | None = None
    is_troubled: bool = False
    is_probe: bool = False
    must_reserve: bool = False


def seen_at(state: HostState, now: datetime) -> HostState:
    """The state as the clock shows now: where it was set back, all times are moved back by as much."""
    back = max(state.looked_at - now, NO_TIME)
    blocked = state.blocked_until and state.blocked_until - back
    return replace(state, full_at=state.full_at - back, blocked_until=blocked, looked_at=now)


def check(state: HostState, now: datetime, *, longest_pause: float) -> Turn:
    """Whether a request may go out now, without a token: it has one already.

    Args:
        longest_pause: seconds that the caller would wait for the end of a pause; a longer one is a refusal.
    """
    left = (state.blocked_until - now).total_seconds() if state.blocked_until else 0.0
    if left <= 0:
        return Turn(is_troubled=state.failures > 0, must_reserve=state.is_open)
    if state.is_open or left > longest_pause:
        return Turn(refusal=state.blocked_because)
    return Turn(wait=left, is_troubled=state.failures > 0, must_reserve=True)


def reserve(
    state: HostState, now: datetime, *, rate: float, burst: int, longest_wait: float, longest_pause: float
) -> tuple[HostState, Turn]:
    """Take a token, which may come later.

    Args:
        rate: requests a second, of this one's protocol.
        burst: as many may go out at once after a time without requests.
        longest_wait: seconds; where the token comes later than that, none is taken.
        longest_pause: as of `check`.

    Returns:
        The state behind it, and when the request may be sent.
    """
    turn = check(state, now, longest_pause=longest_pause)
    if turn.refusal is not None:
        return state, turn
    cost = timedelta(seconds=1 / rate)
    sent_at = max(now + timedelta(seconds=turn.wait), state.full_at - (burst - 1) * cost)
    turn = replace(turn, wait=(sent_at - now).total_seconds(), is_probe=state.is_open, must_reserve=False)
    if turn.wait > longest_wait:
        return state, turn
    if state.is_open:  # the cool-down is over: this request, or one after it, is the one that tries
        if state.spared < state.probes % SPARED:
            reason = f"{state.blocked_because}; another question tries it"
            return replace(state, spared=state.spared + 1), Turn(refusal=reason)
        state = replace(state, blocked_until=sent_at + PROBE, probes=state.probes + 1, spared=0)
    return replace(state, full_at=max(state.full_at, sent_at) + cost, requests_per_second=rate), turn


def after_pause(state: HostState, now: datetime, seconds: float, reason: str) -> HostState:
    """The state of a host that asked for patience: all requests wait, a day at most."""
    # Far more seconds are no `timedelta`.
    until = now + min(timedelta(seconds=min(seconds, 1e9)), LONGEST_PAUSE)
    if state.blocked_until is not None and state.blocked_until >= until:
        return state
    return replace(state, blocked_until=until, blocked_because=reason[:LONGEST_REASON])


def after_failure(state: HostState, now: datetime, weight: int, reason: str) -> HostState:
    """The state after one more failure, which may open the circuit."""
    state = replace(state, failures=state.failures + weight)
    if not state.is_open:
        return state
    # The tenth power is beyond the longest one already, and a larger one would be no `timedelta` some day.
    cool_down = min(FIRST_COOL_DOWN * 2 ** min(state.probes, 10), LONGEST_COOL_DOWN)
    return after_pause(state, now, cool_down.total_seconds(), reason)


def after_answer(state: HostState) -> HostState:
    """The state after an answer: the circuit is closed; a pause that the host asked for stays."""
    if state.is_open:
        state = replace(state, blocked_until=None, blocked_because=None)
    return replace(state, failures=0, probes=0, spared=0)


@dataclass(frozen=True)
class HostLimits:
    """The states of all hosts in a database. Each method is one short transaction with the host's row locked."""

    connection: psycopg.Connection[Any]
    longest_pause: float

    def reserve(self, host: str, *, rate: float, burst: int, longest_wait: float) -> Turn:
        """Take a token of a host, see `reserve`."""
        turns: list[Turn] = []

        def take(state: HostState, now: datetime) -> HostState:
            left = {"longest_wait": longest_wait, "longest_pause": self.longest_pause}
            state, turn = reserve(state, now, rate=rate, burst=burst, **left)
            turns.append(turn)
            return state

        self._change(host, take)
        return turns[0]

    def renew(self, host: str, turn: Turn, *, rate: float, burst: int, longest_wait: float) -> Turn:
        """The turn of a request that has waited for its token: now, or a new one where the host was held back since."""
        if turn.is_probe:
            return replace(turn, wait=0.0)
        checked = self.check(host)
        if not checked.must_reserve:
            return checked
        return self.reserve(host, rate=rate, burst=burst, longest_wait=longest_wait)

    def check(self, host: str) -> Turn:
        """Whether a request that has its token may go out still, see `check`."""
        with self.connection.transaction():
            now = _clock(self.connection)
            row = self.connection.execute(STATE, [host]).fetchone()
        state = HostState(*row) if row else HostState(1, now, now)
        return check(seen_at(state, now), now, longest_pause=self.longest_pause)

    def pause(self, host: str, seconds: float, reason: str) -> None:
        """Hold all requests to a host back for so long."""
        self._change(host, lambda state, now: after_pause(state, now, seconds, reason))

    def fail(self, host: str, weight: int, reason: str) -> bool:
        """Count a failure against a host; returns whether its circuit is open."""
        return self._change(host, lambda state, now: after_failure(state, now, weight, reason)).is_open

    def answered(self, host: str) -> None:
        """Forget the failures of a host."""
        self._change(host, lambda state, _now: after_answer(state))

    def release(self, host: str) -> bool:
        """Let a host be asked at once, as a person wants it; returns whether it is known."""
        with self.connection.transaction():
            return self.connection.execute(RELEASE, [host]).rowcount == 1

    def _change(self, host: str, change: Callable[[HostState, datetime], HostState]) -> HostState:
        with self.connection.transaction():
            self.connection.execute(BRIEFLY)
            row = self.connection.execute(LOCKED, [host]).fetchone()
            if row is None:
                # Another process may make it first: it is read once more.
                self.connection.execute(NEW, [host, LONG_AGO, LONG_AGO])
                row = self.connection.execute(LOCKED, [host]).fetchone()
            assert row is not None  # nothing deletes from the table
            now = _clock(self.connection)
            state = change(seen_at(HostState(*row), now), now)
            self.connection.execute(CHANGE, [*astuple(state), host])
        return state


def _clock(connection: psycopg.Connection[Any]) -> datetime:
    row = connection.execute(CLOCK).fetchone()
    assert row is not None
    return cast(datetime, row[0])


@dataclass(frozen=True)
class HostRow:
    """A row of `QUERY`: the state of a host, and the database's clock when it was read (UTC)."""

    host: str
    read_at: datetime
    requests_per_second: float
    full_at: datetime
    looked_at: datetime
    blocked_until: datetime | None
    blocked_because: str | None
    failures: int
    probes: int
    spared: int

    @property
    def state(self) -> HostState:
        """As the clock shows now."""
        _host, read_at, *fields = astuple(self)
        return seen_at(HostState(*fields), read_at)

    @property
    def word(self) -> str:
        """`closed`, `paused`, `open` or `half-open`, see `HostState.word`."""
        return self.state.word(self.read_at)

    @property
    def is_asked(self) -> bool:
        """Whether requests to it go out."""
        return self.word not in ("open", "paused")

    @property
    def line(self) -> str:
        """For people: why it is not asked, and what to do about it."""
        return (
            f"{self.host}: {self.word} until {self.state.blocked_until:%Y-%m-%d %H:%M:%S} UTC "
            f"({self.blocked_because}); `strades hosts --release {self.host}` asks it at once"
        )


def read_hosts(connection: psycopg.Connection[Any]) -> list[HostRow]:
    """Every host that was ever asked, by name."""
    return [HostRow(*row) for row in connection.execute(QUERY)]
