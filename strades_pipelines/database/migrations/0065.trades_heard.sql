-- depends: 0062.streams

-- When a strategy at the live edge hears a trade: when its first version was stored, after which everybody who decides can read it. A later
-- answer that holds it too, or corrects it, moves nothing. In FROM, so that the planner takes it in and nothing is called for each row.
CREATE FUNCTION records.heard_at(
    listing_id integer, trade_id text, event_time timestamptz, recorded_at timestamptz
) RETURNS TABLE (heard_at timestamptz) LANGUAGE sql STABLE AS $$
    SELECT greatest($3, least($4, (
        SELECT min(older.recorded_at) FROM records.trade_revisions AS older
        WHERE older.listing_id = $1 AND older.trade_id = $2 AND older.event_time = $3
    )))
$$;

-- What came later than a minute after it happened, holes that were asked for again and history, no strategy hears
-- (brokerage/trade_feed.py): a checkpoint need not know of those.
CREATE FUNCTION trading.note_trades() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'INSERT INTO trading.input_changes (subject, known_from, known_to) '
        'SELECT ''trades:'' || t.listing_id, min(h.heard_at), max(h.heard_at) FROM %s AS t '
        'CROSS JOIN LATERAL records.heard_at(t.listing_id, t.trade_id, t.event_time, t.recorded_at) AS h '
        'WHERE h.heard_at - t.event_time < ''1 minute''::interval GROUP BY 1',
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
