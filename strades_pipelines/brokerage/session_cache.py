"""Sessions of trading wallets that stay in memory from one pass to the next, as long as what they rest on is unchanged.

A session may go on where nothing has changed behind the instant that it stands at. `trading.input_changes` says so, in
which whatever writes an input notes it (see `checkpoints`). Else, after an error, and once an hour, the next pass
rebuilds it from its newest checkpoint.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from strades_pipelines.brokerage.checkpoints import Ground, newest_checkpoint
from strades_pipelines.brokerage.live_session import LiveSession, Stepped
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.stepping import begin
from strades_pipelines.strategy.events import moment

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

LONGEST_LIFE = timedelta(hours=1)  # what a session remembers of its orders grows, which a checkpoint forgets
BEHIND = """
    SELECT EXISTS (
        SELECT FROM trading.input_changes AS change
        WHERE change.changed_by >= pg_snapshot_xmin(%(seen)s::pg_snapshot)::text::bigint
            AND NOT pg_visible_in_snapshot(change.changed_by::text::xid8, %(seen)s::pg_snapshot)
            AND change.subject = ANY(%(subjects)s)
            AND change.known_from <= %(stands_at)s AND change.known_to >= %(since)s
    )
"""
Key = tuple[str, str | None]


@dataclass(frozen=True)
class CachedSession:
    """A session after its last step: the ground that it began on, and the snapshot of its newest events."""

    session: LiveSession
    ground: Ground
    seen: str


class SessionCache:
    """The sessions of a process, by wallet and strategy; one that raises leaves it.

    `rebuilt` and `resumed` count the steps of sessions that were built for them, and of those that went on.
    """

    def __init__(self) -> None:
        self.rebuilt = self.resumed = 0
        self._sessions: dict[Key, CachedSession] = {}
        self._steps: dict[Key, CachedSession] = {}

    def step(
        self, connection: Connection, adbc: "AdbcConnection", wallet: Wallet, ground: Ground, *, now: datetime
    ) -> Stepped:
        """Step a wallet's strategy up to and with `now`, on from where its session stands. Writes nothing.

        The session is kept once `commit` says that what it decided is stored.

        Raises:
            StrategyError, LookupError: as `stepping.step`.
        """
        key = wallet.name, wallet.sleeve_name
        self._steps.pop(key, None)
        # Popped, so that a step that raises leaves no half-stepped session behind.
        cached = self._sessions.pop(key, None)
        if cached is not None and _may_go_on(cached, ground):
            stood_at = cached.session.heard_to
            if not _has_changes_behind(connection, cached.seen, stood_at, ground):
                stepped = cached.session.step(connection, adbc, now=now)
                # What was committed between the first look and the step's own snapshot is behind both, and was not
                # read: no later look would tell of it.
                if not _has_changes_behind(connection, cached.seen, stood_at, ground):
                    self.resumed += 1
                    self._keep(key, CachedSession(cached.session, cached.ground, stepped.seen))
                    return stepped
        self.rebuilt += 1
        base = newest_checkpoint(connection, wallet, ground, now=now)
        session, stepped = begin(connection, adbc, wallet, now=now, base=base)
        # From a checkpoint likewise: the next look tells of what was committed since the ground was read.
        self._keep(key, CachedSession(session, ground, stepped.seen if base is None else ground.seen))
        return stepped

    def _keep(self, key: Key, cached: CachedSession) -> None:
        """Have `commit` keep a session that may go on."""
        if cached.ground.fingerprint is not None and cached.session.may_go_on:
            self._steps[key] = cached

    def commit(self, wallet: Wallet) -> None:
        """Keep the wallet's session: what its last step decided is stored."""
        key = wallet.name, wallet.sleeve_name
        if key in self._steps:
            self._sessions[key] = self._steps.pop(key)

    def clear(self) -> None:
        """Forget all sessions."""
        self._sessions.clear()
        self._steps.clear()


def _may_go_on(cached: CachedSession, ground: Ground) -> bool:
    """Whether the session rests on the same code and setting, and is not too old."""
    began = cached.ground
    return began.fingerprint == ground.fingerprint and (began.read_at <= ground.read_at < began.read_at + LONGEST_LIFE)


def _has_changes_behind(connection: Connection, seen: str, stands_at: int, ground: Ground) -> bool:
    """Whether an input that was known up to `stands_at`, microseconds UTC, has changed since the snapshot `seen`."""
    words = {
        "seen": seen,
        "subjects": list(ground.subjects),
        "stands_at": moment(stands_at),
        "since": ground.since,
    }
    return connection.execute(BEHIND, words).fetchone() != (False,)
