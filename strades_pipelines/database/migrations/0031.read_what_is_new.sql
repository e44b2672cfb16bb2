-- depends: 0025.commands

---------------------------------------------------------------- bodies that wait to be parsed
-- They are found among all that were ever fetched; records.parses keeps this true.
ALTER TABLE rawsources.fetches
ADD COLUMN is_parsed boolean NOT NULL DEFAULT false; -- whether records.parses has it
UPDATE rawsources.fetches AS f SET is_parsed = true
FROM records.parses AS p
WHERE p.fetch_id = f.fetch_id;
CREATE INDEX ON rawsources.fetches (outcome, protocol) WHERE NOT is_parsed;

CREATE FUNCTION records.note_parsed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF tg_op = 'TRUNCATE' THEN
        UPDATE rawsources.fetches SET is_parsed = false WHERE is_parsed;
    ELSE
        UPDATE rawsources.fetches AS f SET is_parsed = tg_op = 'INSERT' FROM changed WHERE changed.fetch_id = f.fetch_id;
    END IF;
    RETURN NULL;
END $$;
DO $do$
BEGIN
    PERFORM ops.mark_changes('records.parses', 'parsed', 'records.note_parsed()', '{insert,delete}');
END $do$;
CREATE TRIGGER parsed_truncate AFTER TRUNCATE ON records.parses FOR EACH STATEMENT EXECUTE FUNCTION records.note_parsed();

-- The same bytes as a refused body are no answer to another question either.
CREATE INDEX ON rawsources.fetches (sha256);

---------------------------------------------------------------- checks
DO $do$
BEGIN
    PERFORM ops.mark_changes(
        'predictions.forecasts', 'check', $$ops.mark_rows('model_id', 'check.models_were_trained_before_their_use')$$,
        '{insert,update}'
    );
    PERFORM ops.mark_changes(
        'predictions.models', 'check', $$ops.mark_rows('model_id', 'check.models_were_trained_before_their_use')$$,
        '{insert,update}'
    );
END $do$;
INSERT INTO ops.changed_rows (reader, key)
SELECT
    'check.models_were_trained_before_their_use' AS reader,
    ARRAY[model_id] AS key
FROM predictions.models;

---------------------------------------------------------------- bars in current shares
-- The bars of records as they are traded with: those that were fetched before a split are in the shares after it.
CREATE VIEW records.adjusted_candles AS
SELECT
    c.listing_id,
    c."interval",
    c.open_time,
    c.close_time,
    c.open / coalesce(a.ratio, 1) AS open,
    c.high / coalesce(a.ratio, 1) AS high,
    c.low / coalesce(a.ratio, 1) AS low,
    c.close / coalesce(a.ratio, 1) AS close,
    c.volume * coalesce(a.ratio, 1) AS volume,
    c.quote_volume,
    c.trade_count,
    c.knowledge_time,
    c.knowledge_basis,
    c.fetch_id,
    greatest(c.recorded_at, a.recorded_at) AS recorded_at
FROM records.candles AS c
LEFT JOIN records.split_adjustments AS a
    ON
        c.listing_id = a.listing_id
        AND c.fetch_id = a.fetch_id
        AND c.open_time BETWEEN a.from_time AND a.to_time;
