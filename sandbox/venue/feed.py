"""One connected stream: what it listens to, and the messages that it is still to get, with the faults of streams."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sandbox.venue.faults import Fault, Faults, Operation

Message = bytes | str  # of a binary or a text frame


@dataclass
class Feed:
    """The state of one connection. `clock` is that of the wire, `wake` is called when a message was queued."""

    clock: Callable[[], datetime]
    wake: Callable[[], None] = lambda: None
    is_packed: bool = False  # MessagePack instead of JSON
    account: str | None = None  # its API key; None: not authorized yet
    channels: dict[str, set[str]] = field(default_factory=dict)  # channel -> symbols
    queue: list[tuple[datetime, int, Message]] = field(default_factory=list)
    queued: int = 0

    def say(self, message: Message, seconds: float = 0.0) -> None:
        """Queue a message, due after so many seconds."""
        self.queued += 1
        heapq.heappush(self.queue, (self.clock() + timedelta(seconds=seconds), self.queued, message))
        self.wake()

    def say_with_faults(self, message: Message, faults: Faults) -> None:
        """Queue an event, or lose, delay or double it."""
        if faults.take(Fault.LOST_EVENT, Operation.STREAM):
            return
        late = faults.take(Fault.LATE_EVENT, Operation.STREAM)
        self.say(message, late.seconds * (0.5 + faults.draw(Fault.LATE_EVENT) / 2) if late else 0.0)
        if again := faults.take(Fault.DUPLICATE_EVENT, Operation.STREAM):
            self.say(message, again.seconds * faults.draw(Fault.DUPLICATE_EVENT))

    def due(self) -> list[Message]:
        """Take the messages whose time has come, in the order in which they are due."""
        messages, now = [], self.clock()
        while self.queue and self.queue[0][0] <= now:
            messages.append(heapq.heappop(self.queue)[2])
        return messages

    def seconds_to_next(self) -> float | None:
        """How long until the next message is due; None without one."""
        return max((self.queue[0][0] - self.clock()).total_seconds(), 0.0) if self.queue else None
