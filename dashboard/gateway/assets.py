"""The financial assets as a trader chooses among them: session of the day, last price, health, forecast."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from dashboard.gateway.markets import GAP_COUNT, INTERVALS
from dashboard.gateway.reading import read
from dashboard.gateway.sources import SourceHealth

# Those that a wallet trades stand first. Few rows are picked; what else is shown is looked up by key for those alone.
PICKED = """
    WITH traded AS (
        SELECT DISTINCT unnest(w.instruments) AS instrument FROM trading.wallets AS w
        WHERE w.mode <> 'replay' AND w.state <> 'retired'
    ), picked AS (
        SELECT l.listing_id, l.venue, l.symbol, l.currency, l.calendar, named.name, named.kind,
            traded.instrument IS NOT NULL AS is_traded
        FROM records.listings AS l
        LEFT JOIN traded ON traded.instrument = l.venue || ':' || l.symbol
        LEFT JOIN LATERAL (
            SELECT i.name, i.kind FROM records.instruments AS i WHERE i.symbol = l.symbol
            ORDER BY i.instrument_id LIMIT 1
        ) AS named ON true
        WHERE strpos(lower(concat_ws(' ', l.venue || ':' || l.symbol, named.name, named.kind)), lower(%(text)s)) > 0
            AND (traded.instrument IS NULL, l.venue, l.symbol) > (%(after_untraded)s, %(after_venue)s, %(after_symbol)s)
        ORDER BY traded.instrument IS NULL, l.venue, l.symbol LIMIT %(most)s
    )
"""
ASSETS = """
    SELECT picked.*, CASE WHEN last.price IS NULL THEN newest."interval" END AS "interval",
        coalesce(last.price, newest.close) AS close, coalesce(last.event_time, newest.close_time) AS close_time,
        CASE WHEN last.price IS NULL THEN before.close ELSE newest.close END AS close_before, {gaps} AS gaps,
        measured.volatility_20 AS volatility, measured.session_date AS measured_on, forecast.value AS forecast,
        forecast.name AS model, forecast.decision_time AS forecast_at, forecast.prediction_id, session.open_time,
        session.close_time AS session_close, session.is_half_day,
        EXISTS (
            SELECT FROM records.sessions AS s WHERE s.calendar = picked.calendar AND s.session_date >= %(day)s
        ) AS is_calendar_known
    FROM picked
    LEFT JOIN LATERAL (
        SELECT c."interval", c.open_time, c.close, c.close_time
        FROM (SELECT unnest(%(intervals)s::text[]) AS "interval") AS asked
        CROSS JOIN LATERAL (
            SELECT * FROM records.candles AS own
            WHERE own.listing_id = picked.listing_id AND own."interval" = asked."interval"
            ORDER BY own.open_time DESC LIMIT 1
        ) AS c
        ORDER BY c.close_time DESC, c."interval" LIMIT 1
    ) AS newest ON true
    LEFT JOIN LATERAL (
        SELECT c.close FROM records.candles AS c
        WHERE c.listing_id = picked.listing_id AND c."interval" = newest."interval" AND c.open_time < newest.open_time
        ORDER BY c.open_time DESC LIMIT 1
    ) AS before ON true
    LEFT JOIN records.last_trades AS last
        ON last.listing_id = picked.listing_id AND last.event_time > coalesce(newest.close_time, '-infinity')
    LEFT JOIN LATERAL (
        SELECT f.volatility_20, f.session_date FROM features.daily AS f
        WHERE f.listing_id = picked.listing_id AND f.decision_time <= %(now)s ORDER BY f.decision_time DESC LIMIT 1
    ) AS measured ON true
    LEFT JOIN LATERAL (
        SELECT p.value, p.name, p.decision_time, p.prediction_id FROM predictions.forecasts AS p
        WHERE p.listing_id = picked.listing_id AND p.decision_time <= %(now)s AND p.status = 'predicted'
        ORDER BY p.decision_time DESC, p.name LIMIT 1
    ) AS forecast ON true
    LEFT JOIN records.sessions AS session
        ON session.calendar = picked.calendar AND session.session_date = %(day)s
    ORDER BY NOT picked.is_traded, picked.venue, picked.symbol
"""
NAMES = """
    SELECT l.listing_id, l.venue || ':' || l.symbol AS instrument FROM records.listings AS l
    WHERE l.listing_id = ANY(%(ids)s)
"""
ALWAYS_OPEN = "24/7"


@dataclass(frozen=True)
class Asset:
    """A listing on a day; what is not known is None.

    Args:
        close, close_before: of its newest bar of any interval, and of the bar before, in `currency`; or the price of a
            trade of a stream since, at `close_time`, where `interval` is None, and the close of the newest bar.
        gaps: bars that are missing; None where dbt has not worked that out.
        volatility: sample standard deviation of the last 20 session returns, as of the session `measured_on`.
        forecast: the log return that `model` expects of the session after `forecast_at`.
        open_time, session_close: of the session of the day, UTC.
        is_calendar_known: whether its calendar reaches the day.
    """

    listing_id: int
    venue: str
    symbol: str
    currency: str
    calendar: str
    name: str | None
    kind: str | None
    is_traded: bool
    interval: str | None
    close: float | None
    close_time: datetime | None
    close_before: float | None
    gaps: int | None
    volatility: float | None
    measured_on: date | None
    forecast: float | None
    model: str | None
    forecast_at: datetime | None
    prediction_id: str | None
    open_time: datetime | None
    session_close: datetime | None
    is_half_day: bool | None
    is_calendar_known: bool

    @property
    def instrument(self) -> str:
        """Its name as wallets have it."""
        return f"{self.venue}:{self.symbol}"

    @property
    def change(self) -> float | None:
        """Of the close against that of the bar before, as a fraction."""
        if self.close is None or not self.close_before:
            return None
        return self.close / self.close_before - 1

    @property
    def session(self) -> str:
        """What its exchange does on the day: always, hours, closed, or unknown."""
        if self.calendar == ALWAYS_OPEN:
            return "always"
        if self.open_time is not None:
            return "hours"
        return "closed" if self.is_calendar_known else "unknown"

    @property
    def place(self) -> str:
        """Where it stands: later ones come after it. `parse_place` reads it back."""
        return f"{int(not self.is_traded)}~{self.venue}~{self.symbol}"


@dataclass(frozen=True)
class _Name:
    listing_id: int
    instrument: str


def parse_place(text: str) -> tuple[bool, str, str] | None:
    """What `Asset.place` wrote, or None."""
    untraded, _, rest = text.partition("~")
    venue, separator, symbol = rest.partition("~")
    if untraded not in ("0", "1") or not separator or "\0" in text:
        return None
    return untraded == "1", venue, symbol


def read_assets(
    day: date, *, now: datetime, text: str, after: tuple[bool, str, str] | None, most: int, has_gaps: bool
) -> list[Asset]:
    """The assets whose name has the text, those that a wallet trades first. One query.

    Args:
        after: go on behind this place.
    """
    untraded, venue, symbol = after or (False, "", "")
    gaps = GAP_COUNT.replace("l.listing_id", "picked.listing_id") if has_gaps else "NULL"
    return read(
        Asset,
        PICKED + ASSETS.replace("{gaps}", gaps),
        day=day,
        now=now,
        text=text,
        after_untraded=untraded,
        after_venue=venue,
        after_symbol=symbol,
        most=most,
        intervals=list(INTERVALS),
    )


def read_instruments(listing_ids: Sequence[int]) -> dict[int, str]:
    """The names `VENUE:SYMBOL` of listings by their ids; an id that is none is absent."""
    return {row.listing_id: row.instrument for row in read(_Name, NAMES, ids=list(listing_ids))}


def source_of(asset: Asset, sources: Sequence[SourceHealth]) -> SourceHealth | None:
    """The source of the asset's bars: the first one in use for its venue."""
    of_venue = [source for source in sources if source.website.venue == asset.venue]
    return next((source for source in of_venue if source.state != "off"), next(iter(of_venue), None))
