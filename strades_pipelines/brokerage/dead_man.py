"""Dead-man's switches: a venue cancels the open orders of an account when this process does not renew its word."""

import threading
from collections.abc import Sequence
from contextlib import suppress

from strades_pipelines.brokerage.brokers.venue import DeadMansSwitch, VenueBroker, account_of
from strades_pipelines.brokerage.brokers.venue_errors import BrokerError
from strades_pipelines.brokerage.wallets import WalletsError, WalletTemplate
from strades_pipelines.system import stopping

# A renewal that is under way when the process is stopped; the stop waits no longer.
LONGEST_WAIT = 2.0


class DeadMansSwitches:
    """The switches that this process has armed, one an account."""

    def __init__(self) -> None:
        self._armed: dict[str, DeadMansSwitch] = {}
        self._lock = threading.Lock()

    def renew(self, wallet: WalletTemplate, templates: Sequence[WalletTemplate], venue: VenueBroker) -> None:
        """Have the account's orders cancelled some seconds from now, unless this is called again before.

        Args:
            templates: of all wallets: of those that share the account the shortest time counts.

        Raises:
            WalletsError: the venue has no such switch.
            BrokerError: it does not answer.
        """
        if not isinstance(venue, DeadMansSwitch):
            raise WalletsError(f"dead_man_seconds: {wallet.broker} has no dead-man's switch; leave the key out")
        account = account_of(wallet)
        seconds = min(one.dead_man_seconds for one in templates if one.dead_man_seconds and account_of(one) == account)
        # A renewal after `disarm` would arm the switch again: the venue would cancel what an orderly end leaves open.
        with self._lock:
            if not stopping.requested():
                # Noted before the request: where the answer is lost the switch may be armed, and has to be disarmed as
                # well.
                self._armed[account] = venue
                venue.keep_alive(seconds)

    def disarm(self) -> None:
        """At an orderly end: open orders stay. A venue that does not answer cancels them, as it would after a crash."""
        is_locked = self._lock.acquire(timeout=LONGEST_WAIT)
        try:
            for venue in self._armed.values():
                with suppress(BrokerError):
                    venue.keep_alive(0)
            self._armed.clear()
        finally:
            if is_locked:
                self._lock.release()
