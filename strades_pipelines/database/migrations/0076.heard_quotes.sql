-- depends: 0077.quotes 0075.heard_records

-- When a strategy at the live edge hears a quote: when its first version was stored, as it hears trades (records.heard_at).
CREATE FUNCTION records.quote_heard_at(
    listing_id integer, quote_id text, event_time timestamptz, recorded_at timestamptz
) RETURNS TABLE (heard_at timestamptz) LANGUAGE sql STABLE AS $$
    SELECT greatest($3, least($4, (
        SELECT min(older.recorded_at) FROM records.quote_revisions AS older
        WHERE older.listing_id = $1 AND older.quote_id = $2 AND older.event_time = $3
    )))
$$;

-- What came later than a minute after it happened no strategy hears (brokerage/trade_feed.py): a checkpoint need not know of it.
CREATE FUNCTION trading.note_quotes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'INSERT INTO trading.input_changes (subject, known_from, known_to) '
        'SELECT ''quotes:'' || q.listing_id, min(h.heard_at), max(h.heard_at) FROM %s AS q '
        'CROSS JOIN LATERAL records.quote_heard_at(q.listing_id, q.quote_id, q.event_time, q.recorded_at) AS h '
        'WHERE h.heard_at - q.event_time < ''1 minute''::interval GROUP BY 1',
        CASE tg_op WHEN 'UPDATE' THEN '(SELECT * FROM changed UNION ALL SELECT * FROM before)' ELSE 'changed' END
    );
    RETURN NULL;
END $$;
DO $do$
BEGIN
    PERFORM ops.mark_changes('records.quotes', 'inputs', 'trading.note_quotes()');
END $do$;
CREATE TRIGGER inputs_truncate AFTER TRUNCATE ON records.quotes
FOR EACH STATEMENT EXECUTE FUNCTION trading.note_truncated_inputs();
