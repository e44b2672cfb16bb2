"""What a look found beside what earlier looks did: which findings are new, and which are there no more."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

JOINED_WITHIN = timedelta(days=31)  # marks of a series so close together are looked at in one go
Mark = tuple[int, str, datetime, datetime]


@dataclass(frozen=True)
class Finding:
    """Where an outlier is: openings of its first and last bar. `reaches_end`: the last one is the newest stored."""

    from_time: datetime
    to_time: datetime
    bars: int
    cause: str
    cells: tuple[str, ...]
    reaches_end: bool = False

    @property
    def key(self) -> tuple[Any, ...]:
        """What makes it the same finding in another look."""
        return self.from_time, self.to_time, self.cause, self.cells


@dataclass(frozen=True)
class StoredFinding:
    """A row of `records.discrepancies`; not open: somebody dismissed it, or accepted what is not carried out.

    `bars_sha256` is of the bars that its repair is for; None of one that was dismissed, whatever they say by now.
    `is_current`: the stored bars have that hash.
    """

    discrepancy_id: int
    finding: Finding
    is_open: bool
    bars_sha256: str | None = None
    is_current: bool = True


def join_marks(marks: Iterable[Mark]) -> list[Mark]:
    """Listing, interval and first and last opening of what changed; marks that are close together as one."""
    joined: list[Mark] = []
    for listing_id, interval, first, last in sorted(marks):
        if joined and joined[-1][:2] == (listing_id, interval) and first <= joined[-1][3] + JOINED_WITHIN:
            joined[-1] = listing_id, interval, joined[-1][2], max(last, joined[-1][3])
        else:
            joined.append((listing_id, interval, first, last))
    return joined


def compare_findings(
    found: Sequence[Finding], stored: Sequence[StoredFinding], *, is_certain: bool = True
) -> tuple[list[Finding], list[StoredFinding]]:
    """Which findings are new, and which open ones are gone.

    A run that goes on at the newest bar is proposed anew each time it has doubled, not with each bar. What somebody
    settled is not proposed again, nor any part of it. A repair of bars that changed is for none that are stored: it is
    gone, and what is still wrong is new.

    Args:
        is_certain: False where the look could not judge: what it did not find may be there still.
    """
    current = [old for old in stored if old.is_current]
    new = [one for one in found if not any(_is_settled(one, old) for old in current if not old.is_open)]
    kept: set[int] = set()
    left = []
    for one in new:
        same = next((old for old in current if old.is_open and _is_same(one, old.finding)), None)
        if same is None:
            left.append(one)
        else:
            kept.add(same.discrepancy_id)
    is_gone = [old.is_open and old.discrepancy_id not in kept and (is_certain or not old.is_current) for old in stored]
    return left, [old for old, gone in zip(stored, is_gone, strict=True) if gone]


def _is_settled(found: Finding, old: StoredFinding) -> bool:
    told = old.finding
    is_part = told.from_time <= found.from_time and found.to_time <= told.to_time
    return is_part and (told.cause, told.cells) == (found.cause, found.cells)


def _is_same(found: Finding, told: Finding) -> bool:
    grew = (found.from_time, found.cause, found.cells) == (told.from_time, told.cause, told.cells)
    return found.key == told.key or (grew and found.reaches_end and told.bars <= found.bars < 2 * told.bars)
