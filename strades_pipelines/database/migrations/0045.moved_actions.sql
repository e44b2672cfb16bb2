-- depends: 0036.finite_times_of_commands

-- A provider that corrects the day of a split or dividend says it again under another date, and never takes the first one
-- back: loading keeps both. Of two equal ones so near each other, the one that a later answer was the first to say stands.
-- Splits do not repeat within two weeks; who pays a dividend each week does so six days or more apart.
-- LIMIT makes each look-up one by its key, however many actions there are.
CREATE VIEW records.moved_actions AS
SELECT
    older.listing_id,
    older.ex_date,
    older.action
FROM records.corporate_actions AS older
WHERE (
    SELECT true
    FROM records.corporate_actions AS newer
    LEFT JOIN rawsources.fetches AS said ON older.fetch_id = said.fetch_id
    LEFT JOIN rawsources.fetches AS corrected ON newer.fetch_id = corrected.fetch_id
    WHERE
        newer.listing_id = older.listing_id
        AND newer.ex_date BETWEEN older.ex_date - 14 AND older.ex_date + 14
        AND newer.action = older.action
        AND newer.ex_date <> older.ex_date
        AND abs(newer.ex_date - older.ex_date) <= CASE older.action WHEN 'split' THEN 14 ELSE 5 END
        AND newer.ratio IS NOT DISTINCT FROM older.ratio
        AND newer.amount IS NOT DISTINCT FROM older.amount
        AND (coalesce(corrected.fetched_at, newer.recorded_at), newer.fetch_id)
        > (coalesce(said.fetched_at, older.recorded_at), older.fetch_id)
    ORDER BY newer.ex_date
    LIMIT 1
) IS NOT NULL;

CREATE OR REPLACE VIEW records.market_splits AS
SELECT DISTINCT ON (own.listing_id, split.ex_date)
    own.listing_id,
    split.ex_date,
    split.ratio,
    split.knowledge_time
FROM records.listings AS own
INNER JOIN records.listings AS peer
    ON
        own.symbol = peer.symbol
        AND own.currency = peer.currency
        AND own.adjustment = peer.adjustment
        AND own.calendar = peer.calendar
        AND (own.calendar <> '24/7' OR own.venue = peer.venue)
INNER JOIN records.corporate_actions AS split ON peer.listing_id = split.listing_id
WHERE
    split.action = 'split' AND split.ratio > 0
    AND (
        SELECT true
        FROM records.listings AS mover
        INNER JOIN records.moved_actions AS moved ON mover.listing_id = moved.listing_id
        WHERE
            moved.action = 'split'
            AND moved.ex_date = split.ex_date
            AND mover.symbol = own.symbol
            AND mover.currency = own.currency
            AND mover.adjustment = own.adjustment
            AND mover.calendar = own.calendar
            AND (own.calendar <> '24/7' OR own.venue = mover.venue)
        ORDER BY mover.listing_id
        LIMIT 1
    ) IS NULL
ORDER BY own.listing_id, split.ex_date, peer.listing_id <> own.listing_id, peer.venue;

-- One that was moved counts no more from the days before it on.
CREATE OR REPLACE FUNCTION records.mark_corporate_actions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ops.stale (relation, listing_id, days)
    SELECT 'cleaned.growth_factors', listing_id, daterange(min(ex_date) - 14, NULL) FROM changed GROUP BY listing_id;
    RETURN NULL;
END $$;

-- Nasdaq's and others' trade ids begin anew each day: one of another time is another trade.
ALTER TABLE records.trades
DROP CONSTRAINT trades_pkey,
ADD PRIMARY KEY (listing_id, trade_id, event_time);
ALTER TABLE records.trade_revisions
DROP CONSTRAINT trade_revisions_pkey,
ADD PRIMARY KEY (listing_id, trade_id, event_time, recorded_at);
