"""One connected stream: its channels and its queue of messages, with the faults of streams."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sandbox.venue.faults import Fault, Faults, Operation

Message = bytes | str  # of a binary or a text frame


@dataclass
class Feed:
    """The state of one connection. `wake` is called when a message is queued."""

    clock: Callable[[], datetime]
    wake: Callable[[], None] = lambda: None
    is_packed: bool = False  # MessagePack instead of JSON
    account: str | None = None  # its API key; None: not authorized yet
    channels: dict[str, set[str]] = field(default_factory=dict)  # channel -> symbols
    pending: list[tuple[datetime, int, Message]] = field(default_factory=list)
    sequence: int = 0
    is_open: bool = True

    def send(self, message: Message, seconds: float = 0.0) -> None:
        """Queue a message, due in `seconds`."""
        self.sequence += 1
        # Of two that are due at once the one that was sent first comes first.
        heapq.heappush(self.pending, (self.clock() + timedelta(seconds=seconds), self.sequence, message))
        self.wake()

    def send_with_faults(self, message: Message, faults: Faults) -> None:
        """Queue an event, unless a fault loses, corrupts, delays or duplicates it, or ends the stream."""
        if faults.take(Fault.LOST_EVENT, Operation.STREAM):
            return
        if faults.take(Fault.DISCONNECT, Operation.STREAM):
            self.is_open = False
            self.wake()
            return
        if faults.take(Fault.CORRUPT_EVENT, Operation.STREAM):
            message = corrupted(message)
        late = faults.take(Fault.LATE_EVENT, Operation.STREAM)
        self.send(message, late.seconds * (0.5 + faults.draw(Fault.LATE_EVENT) / 2) if late else 0.0)
        if again := faults.take(Fault.DUPLICATE_EVENT, Operation.STREAM):
            self.send(message, again.seconds * faults.draw(Fault.DUPLICATE_EVENT))

    def due(self) -> list[Message]:
        """Remove and return the messages that are due, in order."""
        messages, now = [], self.clock()
        while self.pending and self.pending[0][0] <= now:
            messages.append(heapq.heappop(self.pending)[2])
        return messages

    def seconds_to_next(self) -> float | None:
        """Return the seconds until the next message is due, or None."""
        return max((self.pending[0][0] - self.clock()).total_seconds(), 0.0) if self.pending else None


def corrupted(message: Message) -> Message:
    """The message with its last third lost: a frame of the promised length whose sender broke off."""
    return message[: len(message) - len(message) // 3]
