-- depends: 0045.moved_actions 0046.strategies_of_a_wallet

-- When a row was measured, by which a price in the shares of before a split is told from one in those of after it. Null: before 0051.
ALTER TABLE results.listing_equity
ADD COLUMN recorded_at timestamptz;

-- As before, but that from a split to the next measure there is no price: units are in new shares, and the last value in old ones.
CREATE OR REPLACE VIEW results.strategies AS
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
            CASE
                WHEN
                    NOT EXISTS (
                        SELECT FROM trading.movements AS m
                        WHERE
                            m.wallet = e.wallet AND m.kind = 'split' AND m.listing_id = e.listing_id
                            AND m.recorded_at > coalesce(e.recorded_at, e.time)
                    )
                    THEN (e.value / nullif(e.quantity, 0))::numeric
            END AS unit,
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
