"""The nightly question whether backtest and replay are one, asked about a wallet that is new."""

from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from strades_pipelines.brokerage.parity import Question, backtest, compare, question
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.trading_rows import insert
from strades_pipelines.brokerage.wallets import WalletTemplate
from strades_pipelines.database.crash import crash_point
from strades_pipelines.defs.trading.frames import admit, bars_type

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection


def ask(
    connection: Connection,
    adbc: "AdbcConnection",
    replayed: list[tuple[WalletTemplate, str]],
    *,
    start: datetime,
    end: datetime,
    now: datetime,
) -> None:
    """Compare the first replayed wallet that can be; a wallet that was compared has the same fills for good. Commits.

    Raises:
        Failure: for a frame that is not fit to be handed on.
        RuntimeError: when the command fails.
    """
    for template, wallet in replayed:
        if connection.execute("SELECT 1 FROM results.parity WHERE wallet = %s", [wallet]).fetchone():
            return
        asked = question(adbc, template, wallet, start=start, end=end)
        if asked is not None:
            _answer(connection, asked, now)
            return


def _answer(connection: Connection, asked: Question, now: datetime) -> None:
    for name, frame in asked.frames.items():
        admit(bars_type(), name, frame)
    with TemporaryDirectory(prefix="strades-parity-") as folder:
        found = compare(connection, asked.wallet, backtest(asked, Path(folder)))
    row = {
        "wallet": asked.wallet,
        "replay_fills": found.replay_fills,
        "backtest_fills": found.backtest_fills,
        "differing": len(found.only_replay) + len(found.only_backtest),
        "detail": found.detail,
        "recorded_at": now,
    }
    insert(connection, "results.parity", row)
    crash_point("results.parity_written")
    connection.commit()
