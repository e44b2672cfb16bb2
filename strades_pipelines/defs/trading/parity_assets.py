"""The nightly comparison of `strades backtest` with the replay of one new wallet."""

from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from strades_pipelines.brokerage.parity import BacktestInputs, backtest, compare, read_backtest_inputs
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.trading_rows import insert
from strades_pipelines.brokerage.wallets import WalletTemplate
from strades_pipelines.database.crash import crash_point
from strades_pipelines.defs.trading.frames import bars_type, validate_frame

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection


def compare_new_wallet(
    connection: Connection,
    adbc: "AdbcConnection",
    replayed: list[tuple[WalletTemplate, str]],
    *,
    start: datetime,
    end: datetime,
    now: datetime,
) -> None:
    """Compare the first comparable wallet, if it is new: the fills of a replay never change. Commits.

    Raises:
        Failure: a frame is invalid.
        RuntimeError: the command failed.
    """
    for template, wallet in replayed:
        if connection.execute("SELECT 1 FROM results.parity WHERE wallet = %s", [wallet]).fetchone():
            return
        inputs = read_backtest_inputs(adbc, template, wallet, start=start, end=end)
        if inputs is not None:
            _record_parity(connection, inputs, now)
            return


def _record_parity(connection: Connection, inputs: BacktestInputs, now: datetime) -> None:
    for name, frame in inputs.frames.items():
        validate_frame(bars_type(), name, frame)
    with TemporaryDirectory(prefix="strades-parity-") as folder:
        parity = compare(connection, inputs.wallet, backtest(inputs, Path(folder)))
    row = {
        "wallet": inputs.wallet,
        "replay_fills": parity.replay_fills,
        "backtest_fills": parity.backtest_fills,
        "differing": len(parity.only_replay) + len(parity.only_backtest),
        "detail": parity.detail,
        "recorded_at": now,
    }
    insert(connection, "results.parity", row)
    crash_point("results.parity_written")
    connection.commit()
