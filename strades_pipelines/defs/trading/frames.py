"""What a frame of bars must be before another process is handed it: a gate, not a statement about what is stored."""

from functools import cache
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    import pandas as pd


@cache
def bars_type() -> Any:
    """The type of a frame of bars; dagster-pandas, and pandas with it, is loaded when one is looked at."""
    from dagster_pandas import PandasColumn, create_dagster_pandas_dataframe_type

    price: dict[str, Any] = {"non_nullable": True, "min_value": 0.0}
    columns: list[Any] = [PandasColumn.datetime_column("ts_utc", tz="UTC", non_nullable=True, unique=True)]  # type: ignore[no-untyped-call]
    for name in ("open", "high", "low", "close", "volume"):
        columns.append(PandasColumn.float_column(name, **price))  # type: ignore[no-untyped-call]
    text = "Bars of one listing, oldest first, as `strades backtest` reads them."
    return create_dagster_pandas_dataframe_type(name="Bars", description=text, columns=columns)  # type: ignore[no-untyped-call]


def validate_frame(kind: Any, name: str, frame: "pd.DataFrame") -> None:
    """Check a frame against its dagster-pandas type.

    Raises:
        Failure: in one line, with the column and what is wrong with it.
    """
    checked = kind.type_check(None, frame)
    if not checked.success:
        reason = " ".join((checked.description or "no reason given").split())
        raise dg.Failure(f"{name}: expected a frame of type {kind.display_name}: {reason}", allow_retries=False)
