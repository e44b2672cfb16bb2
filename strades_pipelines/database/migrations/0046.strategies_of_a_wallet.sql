-- depends: 0045.moved_actions

-- A day of a wallet that several strategies share, by strategy; orders by hand are of none.
CREATE TABLE results.daily_strategy_parity (
    wallet             text NOT NULL,
    day                date NOT NULL,
    sleeve             text NOT NULL,
    decisions          integer NOT NULL,      -- of either of the two
    decisions_agreeing integer NOT NULL,
    fills              integer NOT NULL,      -- of orders decided on that day
    fills_agreeing     integer NOT NULL,
    PRIMARY KEY (wallet, day, sleeve),
    FOREIGN KEY (wallet, day) REFERENCES results.daily_parity,
    FOREIGN KEY (wallet, sleeve) REFERENCES trading.sleeves,
    CHECK (decisions_agreeing BETWEEN 0 AND decisions),
    CHECK (fills_agreeing BETWEEN 0 AND fills)
);
COMMENT ON TABLE results.daily_strategy_parity IS 'Days of the strategies that share a wallet beside a replay of them.';
GRANT SELECT ON results.daily_strategy_parity TO strades_dashboard;

-- A strategy that cannot be replayed is one difference of its day.
ALTER TABLE results.parity_differences
DROP CONSTRAINT parity_differences_cause_check,
DROP CONSTRAINT parity_differences_subject_check,
ADD CONSTRAINT parity_differences_subject_check CHECK (subject IN ('decision', 'fill', 'strategy')),
ADD CONSTRAINT parity_differences_cause_check CHECK (
    cause IN ('data', 'late_correction', 'latency', 'fill_model', 'fee', 'split', 'code', 'strategy_fault', 'bug')
);

-- As before, with each strategy of a wallet of several among those of its own kind.
CREATE OR REPLACE VIEW results.strategy_parity AS
WITH compared AS (
    SELECT
        w.mode,
        w.strategy,
        p.day,
        p.decisions,
        p.decisions_agreeing,
        p.fills,
        p.fills_agreeing
    FROM results.daily_parity AS p
    INNER JOIN trading.wallets AS w ON p.wallet = w.wallet
    WHERE w.strategy <> 'several'
    UNION ALL
    SELECT
        w.mode,
        s.strategy,
        p.day,
        p.decisions,
        p.decisions_agreeing,
        p.fills,
        p.fills_agreeing
    FROM results.daily_strategy_parity AS p
    INNER JOIN trading.wallets AS w ON p.wallet = w.wallet
    INNER JOIN trading.sleeves AS s ON p.wallet = s.wallet AND p.sleeve = s.sleeve
),

days AS (
    SELECT
        compared.mode,
        compared.strategy,
        compared.day,
        sum(compared.decisions) AS decisions,
        sum(compared.decisions_agreeing) AS decisions_agreeing,
        sum(compared.fills) AS fills,
        sum(compared.fills_agreeing) AS fills_agreeing
    FROM compared
    GROUP BY compared.mode, compared.strategy, compared.day
)

SELECT
    days.*,
    (sum(days.decisions_agreeing) OVER past / nullif(sum(days.decisions) OVER past, 0))::double precision AS decision_score,
    (sum(days.fills_agreeing) OVER past / nullif(sum(days.fills) OVER past, 0))::double precision AS fill_score
FROM days
WINDOW past AS (PARTITION BY days.mode, days.strategy ORDER BY days.day);

-- What each strategy of a wallet of several holds and made so far, beside its wallet: at the last close that its results have.
CREATE VIEW results.strategies AS
SELECT
    s.wallet,
    s.sleeve,
    s.strategy,
    s.capital_percent,
    made.fills,
    made.traded,
    made.fees,
    held.realised,
    held.value - held.cost AS unrealised,     -- NULL where a listing that is held has no price
    held.value,
    held.as_of
FROM trading.sleeves AS s
LEFT JOIN LATERAL (
    SELECT
        coalesce(sum(p.realised), 0) AS realised,
        coalesce(sum(p.cost), 0) AS cost,
        CASE
            WHEN count(*) FILTER (WHERE p.quantity <> 0 AND price.unit IS NULL) = 0
                THEN coalesce(sum(p.quantity * price.unit), 0)
        END AS value,
        min(price.time) AS as_of
    FROM trading.owner_positions AS p
    LEFT JOIN LATERAL (
        SELECT
            (e.value / nullif(e.quantity, 0))::numeric AS unit,
            e.time
        FROM results.listing_equity AS e
        WHERE e.wallet = p.wallet AND e.listing_id = p.listing_id AND e.quantity <> 0
        ORDER BY e.day DESC
        LIMIT 1
    ) AS price ON p.quantity <> 0
    WHERE p.wallet = s.wallet AND p.owner = s.sleeve
) AS held ON true
LEFT JOIN LATERAL (
    SELECT
        coalesce(sum(a.fills), 0) AS fills,
        coalesce(sum(a.traded), 0) AS traded,
        coalesce(sum(a.fees), 0) AS fees
    FROM results.session_attribution AS a
    WHERE a.wallet = s.wallet AND a.strategy = s.sleeve
) AS made ON true;
COMMENT ON VIEW results.strategies IS 'What each of several strategies of a wallet holds, and made so far.';
GRANT SELECT ON results.strategies TO strades_dashboard;
