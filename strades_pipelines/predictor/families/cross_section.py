"""Cross-section: a listing beside the others of its venue, in the same session, as far as they were known."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strades_pipelines.predictor.feature import PeerFeature
from strades_pipelines.predictor.inputs import Indices, Times
from strades_pipelines.predictor.windows import Floats

RANKS = "Qlib's CSRankNorm; Lehmann (1990), Fads, Martingales, and Market Efficiency"
MARKET = "Sharpe (1964), with equal weights"


@dataclass(frozen=True)
class Table:
    """The sessions of one venue's listings: arrays of shape (sessions, listings), NaN and NaT where there is none."""

    values: Floats
    decided: Times

    def known_to(self, listing: int) -> NDArray[np.bool_]:
        """Which values were known when a listing's own session was decided."""
        return (self.decided <= self.decided[:, [listing]]) & ~np.isnan(self.values)


def rank(table: Table, listing: int) -> Floats:
    """The share of its peers that a listing is above, ties half, less 0.5: from -0.5 to 0.5."""
    known, own = table.known_to(listing), table.values[:, [listing]]
    peers = known.sum(axis=1) - 1.0
    below = (known & (table.values < own)).sum(axis=1) + 0.5 * ((known & (table.values == own)).sum(axis=1) - 1.0)
    return np.where(np.isnan(own[:, 0]) | (peers < 1.0), np.nan, below / np.maximum(peers, 1.0) - 0.5)


def peer_mean(table: Table, listing: int) -> Floats:
    """The mean of a listing's peers, added in the order of their ids, so that an absent one changes no bit."""
    known = table.known_to(listing)
    known[:, listing] = False
    total = np.zeros(len(known))
    for place in range(known.shape[1]):
        total += np.where(known[:, place], table.values[:, place], 0.0)
    peers = known.sum(axis=1)
    return np.where(peers > 0, total / np.maximum(peers, 1), np.nan)


def excess(table: Table, listing: int) -> Floats:
    """A listing's own value less the mean of its peers."""
    return table.values[:, listing] - peer_mean(table, listing)


STATISTICS: dict[str, Callable[[Table, int], Floats]] = {"rank": rank, "peer_mean": peer_mean, "excess": excess}


def _ranked(of: str, window: int) -> PeerFeature:
    formula = f"share of the venue's other listings with a lower {of}, ties half, less 0.5"
    return PeerFeature(f"rank_{of}", formula, of, window, RANKS, "rank")


CROSS_SECTION = (
    _ranked("return_1", 2),
    _ranked("return_5", 6),
    _ranked("return_20", 21),
    _ranked("volatility_20", 21),
    _ranked("volume_ratio_20", 20),
    PeerFeature("peers_return_1", "mean return_1 of the venue's other listings", "return_1", 2, MARKET, "peer_mean"),
    PeerFeature("excess_return_1", "return_1 - peers_return_1", "return_1", 2, MARKET, "excess"),
    PeerFeature("excess_return_20", "return_20 - the peers' mean return_20", "return_20", 21, MARKET, "excess"),
)
COMPARED = tuple(dict.fromkeys(feature.of for feature in CROSS_SECTION))


@dataclass(frozen=True)
class Compared:
    """The features of CROSS_SECTION, and for each row the bytes of its peers' values and the newest's decision time."""

    features: dict[str, Floats]
    seen: list[bytes]
    newest: Times


def compare(values: Mapping[str, Floats], group: Indices, listing: Indices, session: Times, decided: Times) -> Compared:
    """Every row beside its peers'.

    Args:
        values: the columns of COMPARED, shape (rows,).
        group: a number for each row's venue.
        session, decided: each row's date and decision time.
    """
    compared = Compared(
        {feature.name: np.full(len(listing), np.nan) for feature in CROSS_SECTION}, [b""] * len(listing), decided.copy()
    )
    for venue in np.unique(group):
        rows = np.flatnonzero(group == venue)
        days, day = np.unique(session[rows], return_inverse=True)
        ids, place = np.unique(listing[rows], return_inverse=True)
        times = np.full((len(days), len(ids)), np.datetime64("NaT"), decided.dtype)
        times[day, place] = decided[rows]
        tables = {}
        for name in COMPARED:
            cells = np.full(times.shape, np.nan)
            cells[day, place] = values[name][rows]
            tables[name] = Table(cells, times)
        for number in range(len(ids)):
            own = place == number
            _compare_one(compared, tables, ids, number, rows[own], day[own])
    return compared


def _compare_one(
    compared: Compared, tables: Mapping[str, Table], ids: Indices, number: int, rows: Indices, days: Indices
) -> None:
    """Fill in the rows of one listing, the one in column `number` of the tables."""
    for feature in CROSS_SECTION:
        column = STATISTICS[feature.statistic](tables[feature.of], number)
        compared.features[feature.name][rows] = column[days]
    cells = np.stack([table.values for table in tables.values()], axis=2)
    times = next(iter(tables.values())).decided
    known = times <= times[:, [number]]
    for row, day in zip(rows, days, strict=True):
        compared.newest[row] = times[day][known[day]].max()
        peers = known[day] & (np.arange(len(ids)) != number)
        compared.seen[row] = ids[peers].tobytes() + cells[day][peers].tobytes()
