"""results.return_statistics and results.growth_bands: what the sessions of a wallet come to, and how sure that is."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np

from strades_pipelines.analysis.bootstrap import growth_band
from strades_pipelines.brokerage.performance_report import Performance, read_performance
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.slippage import record_slippage
from strades_pipelines.brokerage.trading_rows import Row, insert, insert_many
from strades_pipelines.market.return_spread import return_spread

# With a fixed seed the same sessions have the same band each time.
DRAWS, SEED, CONFIDENCE = 1_000, 1994, 0.9
STORED = "SELECT last_sequence, ended_at FROM results.return_statistics WHERE wallet = %s"
TOUCH = """
    UPDATE results.return_statistics SET
        sessions = %(sessions)s, measured_at = %(measured_at)s, time_weighted = %(time_weighted)s,
        money_weighted = %(money_weighted)s, unvalued = %(unvalued)s, last_sequence = %(last_sequence)s
    WHERE wallet = %(wallet)s
"""


def measure_returns(connection: Connection, wallet: Wallet, *, last: int, only_open: bool) -> None:
    """Bring the return figures of a wallet up to its sessions. Commits nothing.

    Spread and band are over the sessions that have ended, and are worked out when one more has: 1,000 draws of a
    year's sessions take some 20 ms, and a wallet is measured each minute.

    Args:
        last: the newest line of its ledger that the sessions have in them.
        only_open: no session before the last one was written since the last time.
    """
    stored = connection.execute(STORED, [wallet.name]).fetchone()
    record_slippage(connection, wallet, covered=stored[0] if stored else -1, last=last)
    found = read_performance(connection, wallet, None, None)
    row = _current(found, last)
    # A replay's window is over, and its last session with it.
    ended = found.sessions if wallet.mode == "replay" else found.sessions[:-1]
    ended_at = ended[-1]["valued_at"] if ended else None
    if only_open and stored and stored[1] == ended_at:
        connection.execute(TOUCH, row)
        return
    insert(connection, "results.return_statistics", row | _spread(ended, ended_at), replace=["wallet"])
    connection.execute("DELETE FROM results.growth_bands WHERE wallet = %s", [wallet.name])
    insert_many(connection, "results.growth_bands", band_rows(wallet.name, ended))


def _current(found: Performance, last: int) -> Row:
    return {
        "wallet": found.wallet,
        "first_session": found.sessions[0]["session_date"],
        "measured_at": found.sessions[-1]["valued_at"],
        "sessions": len(found.sessions),
        "time_weighted": found.time_weighted,
        "money_weighted": found.money_weighted,
        "unvalued": found.unvalued,
        "last_sequence": last,
    }


def _spread(ended: list[dict[str, Any]], ended_at: datetime | None) -> Row:
    """The columns over sessions that have ended; one without a return leaves them undefined."""
    returns = _returns(ended)
    spread = asdict(return_spread(returns))
    spread["mean_return"], spread["worst_return"], spread["best_return"] = (
        spread.pop(name) for name in ("mean", "worst", "best")
    )
    bootstrap = {"draws": DRAWS, "mean_block": _mean_block(returns), "seed": SEED, "confidence": CONFIDENCE}
    has_band = len(returns) > 1
    return {
        "ended_sessions": len(ended),
        "ended_at": ended_at,
        **spread,
        **{name: value if has_band else None for name, value in bootstrap.items()},
    }


def band_rows(wallet: str, ended: list[dict[str, Any]]) -> list[Row]:
    """Rows of results.growth_bands; none for fewer than two sessions, or where one has no return.

    Args:
        ended: sessions with `session_date` and `time_weighted`, oldest first.
    """
    returns = _returns(ended)
    if len(returns) < 2:
        return []
    values = np.array(returns)
    band = growth_band(values, seed=SEED, samples=DRAWS, block_length=_mean_block(returns), confidence=CONFIDENCE)
    curves = np.cumprod(1.0 + values).tolist(), *band.tolist()
    names = ("growth", "lower", "median", "upper")
    return [
        {"wallet": wallet, "session_date": session["session_date"], **dict(zip(names, point, strict=True))}
        for session, point in zip(ended, zip(*curves, strict=True), strict=True)
    ]


def _returns(ended: list[dict[str, Any]]) -> list[float]:
    returns = [session["time_weighted"] for session in ended]
    return [] if None in returns else returns


def _mean_block(returns: list[float]) -> float:
    """The cube root of n: the order that is best for a variance (Politis and Romano 1994), as in backtests."""
    return max(1.0, float(len(returns) ** (1 / 3)))
