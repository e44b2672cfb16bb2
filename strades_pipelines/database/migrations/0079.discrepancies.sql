-- depends: 0073.lineage_marks 0048.exclusions

-- Stretches of bars whose prices cannot be meant, each with a repair that waits for a person: accepting and declining it
-- are the verdict of its request (ops.data_verdicts). Grain: one row a finding; found again under other bounds is another one.
CREATE TABLE records.discrepancies (
    discrepancy_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- id by which it is accepted or dismissed
    listing_id         integer NOT NULL REFERENCES records.listings,
    "interval"         text NOT NULL,
    from_time          timestamptz NOT NULL,      -- opening of the first bar; of a split, of the first bar after it
    to_time            timestamptz NOT NULL,      -- opening of the last bar
    bars               integer NOT NULL CHECK (bars > 0), -- how many it is about
    cause              text NOT NULL,             -- hundredfold, wrong_unit, split_not_applied or outlier
    cells              text[] NOT NULL,           -- which prices of the bars: open, high, low, close
    factor             double precision NOT NULL, -- stored price for an expected one; of a split, new shares for an old one
    stored_close       double precision NOT NULL, -- of the first bar
    expected_close     double precision NOT NULL, -- as the bars around say
    fetch_id           bigint NOT NULL,           -- whose bytes say the first bar
    reference_fetch_id bigint NOT NULL,           -- whose bytes say the bar that contradicts it
    bars_sha256        text NOT NULL,             -- of the bars as they stood: the repair is for no others
    found_at           timestamptz NOT NULL,      -- by the world's clock
    gone_at            timestamptz,               -- when the stored bars no longer showed it; null: they do, or it is settled
    request_id         bigint NOT NULL UNIQUE REFERENCES ops.data_requests, -- the proposed repair, and its verdict
    CHECK (cause IN ('hundredfold', 'wrong_unit', 'split_not_applied', 'outlier')),
    CHECK (from_time <= to_time),
    CHECK (factor > 0 AND factor < 'infinity')
);
CREATE INDEX ON records.discrepancies (listing_id, "interval", from_time);

-- Each finding with its state: open, accepted, dismissed or gone, and who said so.
CREATE VIEW records.discrepancy_states AS
SELECT
    found.discrepancy_id,
    found.listing_id,
    found."interval",
    found.from_time,
    found.to_time,
    found.bars,
    found.cause,
    found.cells,
    found.factor,
    found.stored_close,
    found.expected_close,
    found.fetch_id,
    found.reference_fetch_id,
    found.bars_sha256,
    found.found_at,
    found.request_id,
    asked.request_key,
    asked.kind AS repair,
    asked.reason,
    CASE
        WHEN found.gone_at IS NOT NULL THEN 'gone'
        WHEN verdict.is_accepted THEN 'accepted'
        WHEN NOT verdict.is_accepted THEN 'dismissed'
        ELSE 'open'
    END AS state,
    verdict.decided_by,
    verdict.decided_at,
    asked.outcome
FROM records.discrepancies AS found
INNER JOIN ops.data_requests AS asked ON found.request_id = asked.request_id
LEFT JOIN ops.data_verdicts AS verdict ON found.request_id = verdict.request_id;
COMMENT ON VIEW records.discrepancy_states IS 'Prices that cannot be meant: cause, bytes, proposed repair, and who decided.';
GRANT SELECT ON records.discrepancies, records.discrepancy_states TO strades_dashboard;

-- Bars that changed are looked at again, by listing, interval and month: first and last opening.
CREATE FUNCTION records.mark_outliers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ops.changed_rows (reader, key)
    SELECT 'records.discrepancies', ARRAY[listing_id::text, "interval", min(open_time)::text, max(open_time)::text]
    FROM changed GROUP BY listing_id, "interval", date_trunc('month', open_time);
    RETURN NULL;
END $$;
-- A split that is known, or bars that are adjusted for one, may explain what was found of sessions.
CREATE FUNCTION records.mark_outliers_by_splits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ops.changed_rows (reader, key)
    SELECT 'records.discrepancies', ARRAY[listing_id::text, '1d', min(knowledge_time)::text, max(knowledge_time)::text]
    FROM changed GROUP BY listing_id, date_trunc('month', knowledge_time);
    RETURN NULL;
END $$;
DO $do$
BEGIN
    PERFORM ops.mark_changes('records.candles', 'outliers', 'records.mark_outliers()');
    PERFORM ops.mark_changes('records.corporate_actions', 'outliers', 'records.mark_outliers_by_splits()');
    PERFORM ops.mark_changes('records.split_adjustments', 'outliers', 'records.mark_outliers_by_splits()');
END $do$;
-- What is stored already is looked at once.
INSERT INTO ops.changed_rows (reader, key)
SELECT
    'records.discrepancies' AS reader,
    ARRAY[listing_id::text, "interval", min(open_time)::text, max(open_time)::text] AS key
FROM records.candles
GROUP BY listing_id, "interval";
