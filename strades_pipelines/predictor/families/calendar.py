"""Calendar: what the session's date says by itself."""

import numpy as np

from strades_pipelines.predictor.feature import Feature
from strades_pipelines.predictor.feature_inputs import Known
from strades_pipelines.predictor.windows import Floats

DATE = ("session_date",)
NEVER = "never missing"


def _days(known: Known) -> Floats:
    return known.bars.session_date.astype("datetime64[D]").astype(np.float64)


def _weekday(known: Known) -> Floats:
    return (_days(known) + 3.0) % 7.0  # 1970-01-01 was a Thursday


def _day_of_month(known: Known) -> Floats:
    day = known.bars.session_date.astype("datetime64[D]")
    since: Floats = (day - day.astype("datetime64[M]").astype("datetime64[D]")).astype(np.float64)
    return since + 1.0


def _days_to_month_end(known: Known) -> Floats:
    day = known.bars.session_date.astype("datetime64[D]")
    following = (day.astype("datetime64[M]") + 1).astype("datetime64[D]")
    until: Floats = (following - day).astype(np.float64)
    return until - 1.0


def _year_angle(known: Known) -> Floats:
    month = known.bars.session_date.astype("datetime64[M]").astype(np.int64) % 12
    return 2.0 * np.pi * month.astype(np.float64) / 12.0


def _days_since(known: Known) -> Floats:
    return np.concatenate([[np.nan], np.diff(_days(known))])[: len(known.bars)]


CALENDAR = (
    Feature("weekday", "calendar", "0 Monday to 6 Sunday", 1, DATE, "French (1980), the weekend effect", _weekday,
            NEVER),
    Feature("day_of_month", "calendar", "1 to 31", 1, DATE, "Ariel (1987), a monthly effect", _day_of_month, NEVER),
    Feature("days_to_month_end", "calendar", "days of the month that are left", 1, DATE,
            "Lakonishok, Smidt (1988), the turn of the month", _days_to_month_end, NEVER),
    Feature("month_sine", "calendar", "sin(2 pi * (month - 1) / 12)", 1, DATE, "Rozeff, Kinney (1976), seasonality",
            lambda known: np.sin(_year_angle(known)), NEVER),
    Feature("month_cosine", "calendar", "cos(2 pi * (month - 1) / 12)", 1, DATE, "Rozeff, Kinney (1976), seasonality",
            lambda known: np.cos(_year_angle(known)), NEVER),
    Feature("days_since_session", "calendar", "days since the session before", 2, DATE,
            "French (1980), the weekend effect", _days_since, "missing in the first session"),
)  # fmt: skip
