"""The instruments that a person lets a wallet buy on a day."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class AssetChoice:
    """A version of the choice for a wallet and a day of UTC; `instruments` are `VENUE:SYMBOL`."""

    day: date
    version: int
    instruments: frozenset[str]
    chosen_by: str
    reason: str

    def __str__(self) -> str:
        return f"version {self.version} of the choice for {self.day}, by {self.chosen_by} ({self.reason})"
