"""Training sets and models' ids worked out the plain way: everything read at once, joined by pandas, hashed at once.

What the pipeline keeps up to date a block at a time has to be what this gives.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from strades_pipelines.predictor.dataset import NEEDED, Training
from strades_pipelines.predictor.formulas import NAMES
from strades_pipelines.predictor.models.kind import Kind
from strades_pipelines.predictor.walk_forward import MINIMUM_ROWS, MODEL_VERSION, TRAIN_MONTHS
from tests.predictor.made import Market

BAR_COLUMNS = ("listing_id", "knowledge_time", "close", "total_return_factor")


def label_rows(bars: pd.DataFrame) -> pd.DataFrame:
    """The labels of bars.

    Args:
        bars: the columns BAR_COLUMNS, in the order of listings and sessions.

    Returns:
        Columns listing_id, decision_time, label and label_known_at, without a row for a listing's last session.
    """
    growth = bars["close"] * bars["total_return_factor"]
    label = np.log(growth.shift(-1).to_numpy() / growth.to_numpy())
    known_at = np.maximum(bars["knowledge_time"], bars["knowledge_time"].shift(-1))
    rows = pd.DataFrame({"listing_id": bars["listing_id"], "decision_time": bars["knowledge_time"], "label": label})
    rows = rows.assign(label_known_at=known_at)
    return rows[bars["listing_id"].shift(-1) == bars["listing_id"]].reset_index(drop=True)


def labelled(rows: pd.DataFrame, labels: pd.DataFrame) -> Training:
    """Feature rows with their labels, of those that have every needed feature and a label, in the pipeline's order."""
    rows = rows.merge(labels, on=["listing_id", "decision_time"], validate="one_to_one")
    rows = rows[rows[list(NEEDED)].notna().all(axis=1)].sort_values(["decision_time", "listing_id"], kind="stable")
    return Training(
        x=rows[list(NAMES)].to_numpy(np.float64),
        y=rows["label"].to_numpy(np.float64),
        decision_time=microseconds(rows["decision_time"]),
        label_known_at=microseconds(rows["label_known_at"]),
        listing_id=rows["listing_id"].to_numpy(np.int64),
    )


def microseconds(times: pd.Series) -> NDArray[np.int64]:
    """Microseconds since 1970 of UTC times."""
    naive: NDArray[np.datetime64] = times.dt.tz_localize(None).to_numpy("datetime64[us]")
    return naive.astype(np.int64)


def model_ids(market: Market, months: list[datetime], kinds: Mapping[str, Kind]) -> dict[tuple[object, object], object]:
    """The model that each kind (of all features) ought to have for each month, None for none, by month and name."""
    columns = ["listing_id", "decision_time", *NAMES]
    rows = pd.DataFrame(market.rows(f"SELECT {', '.join(columns)} FROM features.daily"), columns=columns)
    rows = rows.astype(dict.fromkeys(NAMES, "float64"))
    query = f"SELECT {', '.join(BAR_COLUMNS)} FROM cleaned.daily_bars ORDER BY listing_id, session_date"
    whole = labelled(rows, label_rows(pd.DataFrame(market.rows(query), columns=BAR_COLUMNS)))
    found: dict[tuple[object, object], object] = {}
    for month in months:
        since = pd.Timestamp(month) - pd.DateOffset(months=TRAIN_MONTHS)
        first, cutoff = (time.value // 1000 for time in (since, pd.Timestamp(month)))
        chosen = (whole.decision_time >= first) & (whole.label_known_at <= cutoff)
        for kind in kinds.values():
            enough = chosen.sum() >= MINIMUM_ROWS
            found[month.date(), kind.name] = _model_id(kind, month, _data_hash(whole, chosen)) if enough else None
    return found


def _data_hash(whole: Training, chosen: NDArray[np.bool_]) -> str:
    digest = hashlib.sha256("\x1f".join(whole.names).encode())
    for array in (whole.listing_id, whole.decision_time, whole.label_known_at, whole.x, whole.y):
        digest.update(np.ascontiguousarray(array[chosen]).tobytes())
    return digest.hexdigest()


def _model_id(kind: Kind, month: datetime, data_hash: str) -> str:
    parameters = {**kind.parameters, "minimum_rows": MINIMUM_ROWS, "train_months": TRAIN_MONTHS}
    libraries = {name: version(name) for name in kind.libraries}
    identity = [MODEL_VERSION, kind.name, kind.version, f"{month:%F}", data_hash, parameters, libraries]
    return hashlib.sha256(json.dumps(identity, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
