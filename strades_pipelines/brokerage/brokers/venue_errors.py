"""What can go wrong between us and a venue. Any other exception of an adapter is a bug of ours."""

from datetime import timedelta

from strades_pipelines.system.secret_values import masked, masked_bytes

LONGEST_WAIT = timedelta(days=1)


class BrokerError(RuntimeError):
    """A request to a venue that did not end well. It holds none of our keys, though the venue may repeat them.

    Args:
        reason: in one line.
        message: what the venue said, as it came but for our keys, which it may repeat; None where it said nothing.
    """

    def __init__(self, reason: str, message: bytes | None = None) -> None:
        # One line: a reason becomes a line of a log and a cell of a page.
        super().__init__(masked(" ".join(reason.split())))
        self.message = None if message is None else masked_bytes(message)


class Rejected(BrokerError):
    """The venue's own word that it did not take the order, or does not cancel it. It is over."""


class NotSent(BrokerError):
    """It is certain that nothing arrived: there was no connection, say. The order may be sent again."""


class Unknown(BrokerError):
    """The venue may have the order: a time-out, a lost connection, a 5xx, an answer that makes no sense."""


class RateLimited(BrokerError):
    """The venue takes nothing now, and took nothing. Ask again after `retry_after`."""

    def __init__(
        self, reason: str, message: bytes | None = None, *, retry_after: timedelta = timedelta(seconds=1)
    ) -> None:
        super().__init__(reason, message)
        self.retry_after = retry_after


def retry_after(header: str, *, default: timedelta) -> timedelta:
    """How long a venue takes nothing, by its header `Retry-After` in seconds; a day at most."""
    # `isdigit` alone is true of '²', at which `int` fails; beyond ten digits `timedelta` overflows.
    is_number = header.isascii() and header.isdigit() and len(header) < 10
    return min(timedelta(seconds=int(header)), LONGEST_WAIT) if is_number else default


def is_connection_refused(error: BaseException) -> bool:
    """Whether an error of `requests` says that no connection was made at all: nothing can have arrived."""
    from urllib3.exceptions import NewConnectionError

    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError)
