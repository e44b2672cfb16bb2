"""Cross-section: a listing beside the others of its venue, in the same session, as far as they were known."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strades_pipelines.predictor.feature import PeerFeature
from strades_pipelines.predictor.feature_inputs import Indices, Times
from strades_pipelines.predictor.windows import Floats

RANKS = "Qlib's CSRankNorm; Lehmann (1990), Fads, Martingales, and Market Efficiency"
MARKET = "Sharpe (1964), with equal weights"


def ranks(values: Floats, known: NDArray[np.bool_]) -> Floats:
    """The share of its peers that each listing is above, ties half, less 0.5: from -0.5 to 0.5.

    Args:
        values: shape (sessions, listings), NaN where there is none.
        known: of the same shape, which of them are seen.
    """
    seen = np.where(known, values, np.nan)
    peers = np.maximum((~np.isnan(seen)).sum(axis=1, keepdims=True) - 1.0, 0.0)
    ordered = np.sort(seen, axis=1)  # NaN last
    below, upto = np.empty_like(seen), np.empty_like(seen)
    for session, row in enumerate(ordered):
        below[session] = np.searchsorted(row, seen[session], side="left")
        upto[session] = np.searchsorted(row, seen[session], side="right")
    share = (below + 0.5 * (upto - below - 1.0)) / np.maximum(peers, 1.0) - 0.5
    return np.where(np.isnan(seen) | (peers < 1.0), np.nan, share)


def peer_means(values: Floats, known: NDArray[np.bool_]) -> Floats:
    """The mean of each listing's peers, added in the order of their ids, so that an absent one changes no bit."""
    there = known & ~np.isnan(values)
    seen = np.where(there, values, 0.0)
    totals = np.zeros_like(seen)
    for place in range(seen.shape[1]):
        totals[:, :place] += seen[:, [place]]
        totals[:, place + 1 :] += seen[:, [place]]
    peers = there.sum(axis=1, keepdims=True) - there
    return np.where(peers > 0, totals / np.maximum(peers, 1), np.nan)


def excesses(values: Floats, known: NDArray[np.bool_]) -> Floats:
    """Each listing's own value less the mean of its peers."""
    return values - peer_means(values, known)


STATISTICS: dict[str, Callable[[Floats, NDArray[np.bool_]], Floats]] = {
    "rank": ranks, "peer_mean": peer_means, "excess": excesses,
}  # fmt: skip


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
    """The features of CROSS_SECTION, and for each row a digest of all values it saw and the newest's decision time."""

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
        cells = np.full((len(COMPARED), *times.shape), np.nan)
        for column, name in zip(cells, COMPARED, strict=True):
            column[day, place] = values[name][rows]
        # Rows of a session that were decided at the same time saw the same: one pass for the first time of each
        # session, one for the second, and so on. Mostly there is one.
        turn = _turns(times)[day, place]
        for number in range(int(turn.max()) + 1):
            own = turn == number
            _compare_turn(compared, cells, times, ids, rows[own], day[own], place[own])
    return compared


def _turns(times: Times) -> Indices:
    """Of each time of a row, how many other times of the row are before it."""
    turns = np.zeros(times.shape, np.int64)
    for session, row in enumerate(times):
        turns[session] = np.unique(row, return_inverse=True)[1]
    return turns


def _compare_turn(
    compared: Compared, cells: Floats, times: Times, ids: Indices, rows: Indices, day: Indices, place: Indices
) -> None:
    """Fill in rows of which those of the same session were decided at the same time."""
    days, at = np.unique(day, return_inverse=True)
    now = np.full(len(days), np.datetime64("NaT"), times.dtype)
    now[at] = times[day, place]
    known = times[days] <= now[:, None]
    values = dict(zip(COMPARED, cells[:, days], strict=True))
    for feature in CROSS_SECTION:
        compared.features[feature.name][rows] = STATISTICS[feature.statistic](values[feature.of], known)[at, place]
    newest, digests = times[days].copy(), []
    newest[~known] = np.datetime64("NaT")
    for session, seen in zip(days.tolist(), known, strict=True):
        digests.append(hashlib.sha256(ids[seen].tobytes() + cells[:, session, seen].tobytes()).digest())
    compared.newest[rows] = np.fmax.reduce(newest, axis=1)[at]
    for row, number in zip(rows.tolist(), at.tolist(), strict=True):
        compared.seen[row] = digests[number]
