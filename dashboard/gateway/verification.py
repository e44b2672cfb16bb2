"""A wallet worked out again from its fills and movements alone, beside what its books and results say.

The SQL is of its own: it shares nothing with what books a fill or measures a wallet, so that the two can differ.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dashboard.gateway.reading import read, read_one

# One reading of a wallet's fills and one of its ledger, whatever is compared: a year of them is 100,000, and a page has
# 300 ms. What was known by `until`, when results were measured last, is told apart; NULL where they never were.
SUMS = """
WITH RECURSIVE splits AS (
    SELECT m.listing_id, m.occurred_at AS splits_at,
        row_number() OVER (PARTITION BY m.listing_id ORDER BY m.occurred_at) AS n,
        split_part(m.ratio, '/', 1)::numeric AS given,
        coalesce(nullif(split_part(m.ratio, '/', 2), ''), '1')::numeric AS taken_in,
        m.units_taken, m.recorded_at <= %(until)s::timestamptz AS is_measured
    FROM trading.movements AS m WHERE m.wallet = %(wallet)s AND m.kind = 'split'
),
-- Fills between the n-th split of their listing and the next one, in the shares of then.
done AS MATERIALIZED (
    SELECT f.listing_id, f.side, f.currency, coalesce(f.fee_currency, f.currency) AS fee_currency, f.fee_in_units,
        coalesce(f.known_at <= %(until)s::timestamptz, false) AS is_measured,
        CASE
            WHEN NOT EXISTS (SELECT FROM splits) THEN 0 -- asked once, what follows for each fill
            ELSE (SELECT count(*) FROM splits AS s WHERE s.listing_id = f.listing_id AND s.splits_at <= f.filled_at)
        END AS n,
        sum(f.quantity) AS quantity, sum(f.quantity * f.price) AS traded, sum(f.fee) AS fees
    FROM trading.fills AS f WHERE f.wallet = %(wallet)s
    GROUP BY 1, 2, 3, 4, 5, 6, 7
),
-- All that is known now, and what was known when results were measured.
times AS (SELECT unnest(ARRAY[false, true]) AS is_measured),
bought AS (
    SELECT d.listing_id, d.n, t.is_measured, sum(
        CASE d.side WHEN 'buy' THEN d.quantity ELSE -d.quantity END - CASE WHEN d.fee_in_units THEN d.fees ELSE 0 END
    ) AS units
    FROM done AS d INNER JOIN times AS t ON d.is_measured OR NOT t.is_measured
    GROUP BY d.listing_id, d.n, t.is_measured
),
-- Fills before a split count in the shares after it; what came to no whole lot was paid out.
held AS (
    SELECT listing.listing_id, listing.is_measured, 0::bigint AS n, (
        SELECT coalesce(sum(b.units), 0) FROM bought AS b
        WHERE b.listing_id = listing.listing_id AND b.is_measured = listing.is_measured AND b.n = 0
    ) AS units
    FROM (SELECT DISTINCT b.listing_id, b.is_measured FROM bought AS b) AS listing
    UNION ALL
    SELECT h.listing_id, h.is_measured, s.n, CASE
        WHEN h.units * s.given / s.taken_in * s.taken_in = h.units * s.given THEN h.units * s.given / s.taken_in
        ELSE round(h.units * s.given / s.taken_in, 10)
    END - CASE WHEN s.is_measured OR NOT h.is_measured THEN s.units_taken ELSE 0 END + (
        SELECT coalesce(sum(b.units), 0) FROM bought AS b
        WHERE b.listing_id = h.listing_id AND b.is_measured = h.is_measured AND b.n = s.n
    )
    FROM held AS h INNER JOIN splits AS s ON s.listing_id = h.listing_id AND s.n = h.n + 1
),
units AS (
    SELECT DISTINCT ON (h.listing_id, h.is_measured) h.listing_id, h.is_measured, h.units
    FROM held AS h ORDER BY h.listing_id, h.is_measured, h.n DESC
),
moved AS (
    SELECT w.currency, w.opening_cash AS amount, true AS is_measured
    FROM trading.wallets AS w WHERE w.wallet = %(wallet)s
    UNION ALL
    SELECT m.currency, m.amount, m.recorded_at <= %(until)s::timestamptz
    FROM trading.movements AS m WHERE m.wallet = %(wallet)s
    UNION ALL
    SELECT d.currency, CASE d.side WHEN 'buy' THEN -d.traded ELSE d.traded END, d.is_measured FROM done AS d
    UNION ALL
    SELECT d.fee_currency, -d.fees, d.is_measured FROM done AS d WHERE NOT d.fee_in_units
),
totals AS (SELECT currency, sum(amount) AS amount FROM moved GROUP BY currency),
unit_fees AS (
    SELECT d.fee_currency AS currency, -sum(d.fees) AS amount
    FROM done AS d WHERE d.fee_in_units GROUP BY d.fee_currency
),
lines AS MATERIALIZED (
    SELECT l.kind = 'unit_fee' AS in_units, l.currency, sum(l.amount) AS amount FROM trading.ledger AS l
    WHERE l.wallet = %(wallet)s GROUP BY l.kind = 'unit_fee', l.currency
),
compared AS (
    SELECT 1 AS place, 'cash' AS subject, currency AS name, coalesce(t.amount, 0) AS recomputed,
        coalesce(s.balance, 0) AS stored
    FROM totals AS t
    FULL JOIN (SELECT c.currency, c.balance FROM trading.cash AS c WHERE c.wallet = %(wallet)s) AS s USING (currency)
    UNION ALL
    SELECT 2, 'ledger', currency, coalesce(t.amount, 0), coalesce(l.amount, 0)
    FROM totals AS t FULL JOIN (SELECT * FROM lines WHERE NOT in_units) AS l USING (currency)
    UNION ALL
    SELECT 3, 'unit_fees', currency, coalesce(u.amount, 0), coalesce(l.amount, 0)
    FROM unit_fees AS u FULL JOIN (SELECT * FROM lines WHERE in_units) AS l USING (currency)
    UNION ALL
    SELECT 4, 'position', l.venue || ':' || l.symbol, coalesce(u.units, 0), coalesce(p.quantity, 0)
    FROM (SELECT * FROM units WHERE NOT is_measured) AS u
    FULL JOIN (SELECT * FROM trading.positions AS own WHERE own.wallet = %(wallet)s) AS p
        ON p.listing_id = u.listing_id
    INNER JOIN records.listings AS l ON l.listing_id = coalesce(u.listing_id, p.listing_id)
    {results}
)
SELECT subject, name, recomputed, stored FROM compared ORDER BY place, name
"""
# What the newest row of results.equity was measured at, and says.
NEWEST_EQUITY = """
    SELECT e.time AS measured_at, e.cash, e.holdings, e.equity, w."interval"
    FROM results.equity AS e INNER JOIN trading.wallets AS w ON w.wallet = e.wallet
    WHERE e.wallet = %(wallet)s ORDER BY e.time DESC LIMIT 1
"""
# Results are doubles of 15 digits: their difference is taken to six decimals.
RESULTS = """
    UNION ALL
    SELECT part.place, 'results', part.name, round(part.recomputed, 6), round(part.stored::numeric, 6)
    FROM (
        SELECT (
            SELECT sum(m.amount) FROM moved AS m INNER JOIN trading.wallets AS w ON w.currency = m.currency
            WHERE w.wallet = %(wallet)s AND m.is_measured
        ) AS cash, (
            -- Without one of the prices a part of the sum would be a wrong figure.
            SELECT CASE WHEN bool_or(newest.close IS NULL) THEN NULL
                ELSE coalesce(sum(u.units * newest.close::numeric), 0) END
            FROM units AS u
            LEFT JOIN LATERAL (
                SELECT bar.close FROM {bars} AS bar
                WHERE bar.listing_id = u.listing_id AND {of_interval} AND bar.knowledge_time <= %(until)s
                ORDER BY bar.open_time DESC LIMIT 1
            ) AS newest ON true
            WHERE u.is_measured AND u.units <> 0
        ) AS holdings
    ) AS s
    INNER JOIN results.equity AS e ON e.wallet = %(wallet)s AND e.time = %(until)s
    CROSS JOIN LATERAL (
        VALUES (5, 'cash', s.cash, e.cash), (6, 'holdings', s.holdings, e.holdings),
            (7, 'equity', s.cash + s.holdings, e.equity)
    ) AS part (place, name, recomputed, stored)
"""
OF_INTERVAL = 'bar."interval" = (SELECT w."interval" FROM trading.wallets AS w WHERE w.wallet = %(wallet)s)'
LINES = "SELECT coalesce(max(l.sequence), 0) AS newest FROM trading.ledger AS l WHERE l.wallet = %(wallet)s"
# The first fill or movement whose lines in the ledger are not what it says.
FIRST_DIFFERENCE = """
WITH causes AS (
    SELECT f.fill_id AS reference, 'fill' AS kind, f.filled_at AS at, f.currency,
        CASE f.side WHEN 'buy' THEN -f.quantity * f.price ELSE f.quantity * f.price END AS amount
    FROM trading.fills AS f WHERE f.wallet = %(wallet)s
    UNION ALL
    SELECT f.fill_id, CASE WHEN f.fee_in_units THEN 'unit_fee' ELSE 'fee' END, f.filled_at,
        coalesce(f.fee_currency, f.currency), -f.fee
    FROM trading.fills AS f WHERE f.wallet = %(wallet)s
    UNION ALL
    SELECT m.movement_id, m.kind, m.occurred_at, m.currency, m.amount
    FROM trading.movements AS m WHERE m.wallet = %(wallet)s
    UNION ALL
    SELECT w.wallet, 'deposit', w.opened_at, w.currency, w.opening_cash
    FROM trading.wallets AS w WHERE w.wallet = %(wallet)s
),
lines AS (
    SELECT l.reference, l.kind, l.occurred_at AS at, l.currency, l.amount FROM trading.ledger AS l
    WHERE l.wallet = %(wallet)s
)
SELECT kind, reference, coalesce(c.at, l.at) AS at, c.amount AS said, c.currency AS said_in,
    l.amount AS booked, l.currency AS booked_in
FROM causes AS c FULL JOIN lines AS l USING (kind, reference)
WHERE (c.amount, c.currency) IS DISTINCT FROM (l.amount, l.currency)
ORDER BY at, kind, reference LIMIT 1
"""


@dataclass(frozen=True)
class Comparison:
    """One figure worked out again, in money or units, and as it is stored.

    Args:
        subject: cash, ledger (its sum), unit_fees (theirs, in units), position, or results (the newest row of
            results.equity).
        recomputed: None where a price is missing.
    """

    subject: str
    name: str
    recomputed: Decimal | None
    stored: Decimal | None

    @property
    def difference(self) -> Decimal | None:
        """Stored less recomputed."""
        return None if self.recomputed is None or self.stored is None else self.stored - self.recomputed


@dataclass(frozen=True)
class NewestEquity:
    """The newest row of results.equity; money."""

    measured_at: datetime
    cash: float
    holdings: float
    equity: float
    interval: str


@dataclass(frozen=True)
class LedgerDifference:
    """A fill or movement and its line in the ledger; either may be missing."""

    kind: str
    reference: str
    at: datetime
    said: Decimal | None
    said_in: str | None
    booked: Decimal | None
    booked_in: str | None


def read_newest_equity(wallet: str) -> NewestEquity | None:
    """What results say last; None where the wallet was not measured."""
    return read_one(NewestEquity, NEWEST_EQUITY, wallet=wallet)


def read_comparisons(wallet: str, newest: NewestEquity | None) -> list[Comparison]:
    """Cash, ledger, unit fees and positions from all fills, movements and splits, and results as of `newest`.

    Args:
        newest: None leaves results out; else the tables of dbt must be there.
    """
    until = newest.measured_at if newest else None
    return read(Comparison, sums_query(newest.interval if newest else None), wallet=wallet, until=until)


def sums_query(interval: str | None) -> str:
    """The query of `read_comparisons`: bars of a day are the cleaned ones, others in current shares; None: no bars."""
    if interval is None:
        return SUMS.replace("{results}", "")
    bars, condition = ("cleaned.daily_bars", "true") if interval == "1d" else ("records.adjusted_candles", OF_INTERVAL)
    return SUMS.replace("{results}", RESULTS).replace("{bars}", bars).replace("{of_interval}", condition)


@dataclass(frozen=True)
class _Lines:
    newest: int


def count_lines(wallet: str) -> int:
    """About how many lines the ledger of a wallet has: the number of the newest one."""
    found = read_one(_Lines, LINES, wallet=wallet)
    return found.newest if found else 0


def read_first_difference(wallet: str) -> LedgerDifference | None:
    """The first fill, movement or line that has no equal on the other side; None where the ledger is what they say."""
    return read_one(LedgerDifference, FIRST_DIFFERENCE, wallet=wallet)
