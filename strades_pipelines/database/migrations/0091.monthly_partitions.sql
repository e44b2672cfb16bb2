-- depends: 0090.unknown_sides

-- Trades, quotes and frames have a partition for each month (ingestion/month_partitions.py makes them), and one for all other rows, which is
-- the table as it was: no row moves here. Trades and quotes keep their indexes; that of the frames' key is built again, since a key has to
-- include the time that tells the partition: 2 s a million rows (python -m benchmarks monthly_partitions), during which nobody reads frames.
ALTER TABLE rawsources.frames DROP CONSTRAINT frames_pkey, ADD PRIMARY KEY (connection, sequence, received_at);
DROP TRIGGER append_only ON rawsources.frames;
DROP TRIGGER inputs_insert ON records.trades;
DROP TRIGGER inputs_update ON records.trades;
DROP TRIGGER inputs_delete ON records.trades;
DROP TRIGGER inputs_truncate ON records.trades;
DROP TRIGGER inputs_insert ON records.quotes;
DROP TRIGGER inputs_update ON records.quotes;
DROP TRIGGER inputs_delete ON records.quotes;
DROP TRIGGER inputs_truncate ON records.quotes;
DO $do$
DECLARE
    monthly record;
    owned   record;
    others  text;
BEGIN
    FOR monthly IN
        SELECT * FROM (VALUES ('records', 'trades', 'event_time'), ('records', 'quotes', 'event_time'), ('rawsources', 'frames', 'received_at'))
        AS tables (schema, name, time)
    LOOP
        others := format('%I.%I', monthly.schema, monthly.name || '_default');
        EXECUTE format('ALTER TABLE %I.%I RENAME TO %I', monthly.schema, monthly.name, monthly.name || '_default');
        FOR owned IN SELECT indexrelid::regclass AS index, relname FROM pg_index INNER JOIN pg_class ON oid = indexrelid WHERE indrelid = others::regclass
        LOOP
            EXECUTE format('ALTER INDEX %s RENAME TO %I', owned.index, replace(owned.relname, monthly.name, monthly.name || '_default'));
        END LOOP;
        EXECUTE format(
            'CREATE TABLE %I.%I (LIKE %s INCLUDING ALL) PARTITION BY RANGE (%I)', monthly.schema, monthly.name, others, monthly.time
        );
        FOR owned IN SELECT pg_get_constraintdef(oid) AS definition FROM pg_constraint WHERE conrelid = others::regclass AND contype = 'f'
        LOOP
            EXECUTE format('ALTER TABLE %I.%I ADD %s', monthly.schema, monthly.name, owned.definition);
        END LOOP;
        EXECUTE format('ALTER TABLE %I.%I ATTACH PARTITION %s DEFAULT', monthly.schema, monthly.name, others);
        EXECUTE format('COMMENT ON TABLE %I.%I IS %L', monthly.schema, monthly.name, obj_description(others::regclass, 'pg_class'));
        EXECUTE format('COMMENT ON TABLE %s IS %L', others, 'Rows of months that have no partition of their own.');
        EXECUTE format('GRANT SELECT ON %I.%I TO strades_dashboard, strades_dbt', monthly.schema, monthly.name);
    END LOOP;
    PERFORM ops.mark_changes('records.trades', 'inputs', 'trading.note_trades()');
    PERFORM ops.mark_changes('records.quotes', 'inputs', 'trading.note_quotes()');
END $do$;
CREATE TRIGGER inputs_truncate AFTER TRUNCATE ON records.trades
FOR EACH STATEMENT EXECUTE FUNCTION trading.note_truncated_inputs();
CREATE TRIGGER inputs_truncate AFTER TRUNCATE ON records.quotes
FOR EACH STATEMENT EXECUTE FUNCTION trading.note_truncated_inputs();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON rawsources.frames
FOR EACH ROW EXECUTE FUNCTION rawsources.refuse_change_of_frame();
