-- depends: 0062.streams

-- What was written for a listing on a day is new to the marts of the 4D view, which work out those days again. The argument is the
-- day of a row, as the mart has it.
CREATE FUNCTION ops.mark_lineage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF tg_op = 'TRUNCATE' THEN
        INSERT INTO ops.stale (relation, listing_id, days)
        SELECT relation, listing_id, daterange(NULL, NULL)
        FROM records.listings CROSS JOIN unnest('{marts.lineage_nodes,marts.lineage_edges}'::text[]) AS relation;
    ELSE
        EXECUTE format(
            'INSERT INTO ops.stale (relation, listing_id, days) '
            'SELECT relation, listing_id, unnest(range_agg(daterange(day, day + 1))) '
            'FROM (SELECT DISTINCT listing_id, %s AS day FROM changed) AS days '
            'CROSS JOIN unnest(''{marts.lineage_nodes,marts.lineage_edges}''::text[]) AS relation '
            'GROUP BY relation, listing_id', tg_argv[0]
        );
    END IF;
    RETURN NULL;
END $$;
DO $do$
DECLARE
    watched record;
BEGIN
    FOR watched IN
        SELECT * FROM (VALUES
            ('records.candles'::regclass, 'CAST(open_time AT TIME ZONE ''UTC'' AS date)'),
            ('features.daily', 'session_date'),
            ('predictions.forecasts', 'session_date'),
            ('signals.decisions', 'CAST(decided_at AT TIME ZONE ''UTC'' AS date)'),
            ('trading.intents', 'CAST(intended_at AT TIME ZONE ''UTC'' AS date)'),
            ('trading.fills', 'CAST(filled_at AT TIME ZONE ''UTC'' AS date)'),
            ('results.session_attribution', 'session_date')
        ) AS tables (name, day)
    LOOP
        PERFORM ops.mark_changes(watched.name, 'lineage', format('ops.mark_lineage(%L)', watched.day));
        EXECUTE format(
            'CREATE TRIGGER lineage_truncate AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION ops.mark_lineage()',
            watched.name
        );
    END LOOP;
END $do$;

-- What a listing has on a day, without looking through what it ever had. (Features and forecasts have such an index.)
CREATE INDEX ON signals.decisions (listing_id, decided_at);
CREATE INDEX ON trading.intents (listing_id, intended_at);
CREATE INDEX ON trading.fills (listing_id, filled_at);
CREATE INDEX ON results.session_attribution (listing_id, session_date);
