-- depends: 0062.streams

-- A strategy at the live edge hears a trade when it had come here. What came later than a minute after it happened, holes that were
-- asked for again and history, it does not hear (brokerage/trade_feed.py): a checkpoint need not know of those.
CREATE FUNCTION trading.note_trades() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'INSERT INTO trading.input_changes (subject, known_from, known_to) '
        'SELECT ''trades:'' || t.listing_id, min(h.known), max(h.known) FROM %s AS t '
        'INNER JOIN rawsources.fetches AS f USING (fetch_id) '
        'CROSS JOIN LATERAL (SELECT greatest(t.event_time, f.answered_at) AS known) AS h '
        'WHERE h.known - t.event_time < ''1 minute''::interval GROUP BY 1',
        CASE tg_op WHEN 'UPDATE' THEN '(SELECT * FROM changed UNION ALL SELECT * FROM before)' ELSE 'changed' END
    );
    RETURN NULL;
END $$;
DO $do$
BEGIN
    PERFORM ops.mark_changes('records.trades', 'inputs', 'trading.note_trades()');
END $do$;
CREATE TRIGGER inputs_truncate AFTER TRUNCATE ON records.trades
FOR EACH STATEMENT EXECUTE FUNCTION trading.note_truncated_inputs();
