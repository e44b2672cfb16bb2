-- depends: 0013.stale 0018.stale_by_splits 0020.features_by_session

-- Rows that their readers have yet to take in: beside the days of ops.stale, single rows by their key. Whatever writes a row marks
-- it in the same transaction; a reader deletes its marks in the transaction in which it has dealt with them.
CREATE TABLE ops.changed_rows (
    reader text NOT NULL,                     -- cleaned.news, event.<event type>, check.<name>
    key    text[] NOT NULL                    -- the row's primary key
);
CREATE INDEX ON ops.changed_rows (reader);
GRANT SELECT, DELETE ON ops.changed_rows TO strades_dbt;

-- What the last dbt build of a whole layer said, so that the same need not be worked out again (resources/dbt_builds.py).
CREATE TABLE ops.dbt_builds (
    layer    text PRIMARY KEY,
    build_id text NOT NULL,                   -- of the newest build that touched the layer
    project  text,                            -- fingerprint of the dbt project
    results  jsonb,                           -- dbt's events with the rows of each table; null while, and after, it did not pass
    ended_at timestamptz
);

-- Triggers of a statement, one for each kind of change, that call `marker` with the rows as `changed`, and for an update those that
-- they replace as `before`.
CREATE FUNCTION ops.mark_changes(watched regclass, prefix text, marker text, kinds text[] DEFAULT '{insert,update,delete}')
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    kind text;
BEGIN
    FOREACH kind IN ARRAY kinds LOOP
        EXECUTE format(
            'CREATE TRIGGER %I AFTER %s ON %s REFERENCING %s FOR EACH STATEMENT EXECUTE FUNCTION %s',
            prefix || '_' || kind, kind, watched, CASE kind
                WHEN 'insert' THEN 'NEW TABLE AS changed'
                WHEN 'update' THEN 'OLD TABLE AS before NEW TABLE AS changed'
                ELSE 'OLD TABLE AS changed'
            END, marker
        );
    END LOOP;
END $$;

-- Marks the rows by their key (the first argument: its columns) for the readers that follow.
CREATE FUNCTION ops.mark_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'INSERT INTO ops.changed_rows (reader, key) SELECT reader, ARRAY[%1$s]::text[] '
        'FROM (SELECT DISTINCT %1$s FROM changed) AS keys CROSS JOIN unnest(%2$L::text[]) AS reader',
        tg_argv[0], tg_argv[1:]
    );
    RETURN NULL;
END $$;

-- Marks the relations of the arguments as a whole, where a row changed: views, whose tests have to run again. Paper wallets are
-- written at each run as they are: that is no change.
CREATE FUNCTION ops.mark_relations() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF tg_op = 'UPDATE' THEN
        IF NOT EXISTS (SELECT * FROM changed EXCEPT SELECT * FROM before) THEN
            RETURN NULL;
        END IF;
    ELSIF NOT EXISTS (SELECT FROM changed) THEN
        RETURN NULL;
    END IF;
    INSERT INTO ops.stale (relation, days) SELECT relation, daterange(NULL, NULL) FROM unnest(tg_argv) AS relation;
    RETURN NULL;
END $$;

-- A statement that tells no trigger its rows: all that is made of records is worked out again.
CREATE FUNCTION ops.mark_everything() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ops.stale (relation, listing_id, days)
    SELECT relations.name, listings.listing_id, daterange(NULL, NULL)
    FROM records.listings
    CROSS JOIN (VALUES ('cleaned.session_bars'), ('cleaned.price_conflicts'), ('cleaned.growth_factors'), ('cleaned.gaps'),
        ('marts.fct_coverage'), ('check.bars_are_in_current_shares')) AS relations (name);
    INSERT INTO ops.stale (relation, days)
    SELECT relations.name, daterange(NULL, NULL)
    FROM (VALUES ('cleaned.news'), ('cleaned.observations_by_session'), ('marts.fct_statistics'), ('features.daily'),
        ('staging.stg_records__candles'), ('staging.stg_records__listings')) AS relations (name);
    RETURN NULL;
END $$;
DO $$
DECLARE
    truncated text;
BEGIN
    FOREACH truncated IN ARRAY '{candles,corporate_actions,split_adjustments,observations,articles,listings,instruments,sessions,
        bar_series}'::text[]
    LOOP
        EXECUTE format(
            'CREATE TRIGGER mark_truncated AFTER TRUNCATE ON records.%I FOR EACH STATEMENT EXECUTE FUNCTION ops.mark_everything()',
            truncated
        );
    END LOOP;
END $$;

-- Attempts and answers that are gone: which bars are missing is worked out again for every series. By hand, or since a
-- listing's bodies are to be read again.
CREATE FUNCTION records.mark_gaps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ops.stale (relation, listing_id, days)
    SELECT DISTINCT 'cleaned.gaps', listing_id, daterange(NULL, NULL) FROM records.bar_series;
    RETURN NULL;
END $$;
CREATE TRIGGER mark_gone AFTER DELETE OR TRUNCATE ON rawsources.fetches FOR EACH STATEMENT EXECUTE FUNCTION records.mark_gaps();
CREATE TRIGGER mark_gone AFTER DELETE OR TRUNCATE ON records.parses FOR EACH STATEMENT EXECUTE FUNCTION records.mark_gaps();

---------------------------------------------------------------- news
DO $do$
BEGIN
    PERFORM ops.mark_changes('records.articles', 'rows', $$ops.mark_rows('source, article_id', 'cleaned.news')$$);
    PERFORM ops.mark_changes('records.article_revisions', 'rows', $$ops.mark_rows('source, article_id', 'cleaned.news')$$);
END $do$;
-- In ops.stale the days on which articles were known that have to be looked through again: for another listing all of them,
-- for other sessions those that may have waited for one.
CREATE FUNCTION records.mark_news() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ops.stale (relation, days)
    SELECT 'cleaned.news', daterange(min(session_date) - 14, NULL) FROM changed HAVING count(*) > 0;
    RETURN NULL;
END $$;
DO $do$
BEGIN
    PERFORM ops.mark_changes('records.sessions', 'news', 'records.mark_news()');
    PERFORM ops.mark_changes('records.listings', 'news', $$ops.mark_relations('cleaned.news')$$);
END $do$;

-- By the name of an instrument articles are found: those of `cleaned.news`, and those that features count.
CREATE FUNCTION records.mark_names() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    named text[];
BEGIN
    IF tg_op = 'UPDATE' THEN
        named := ARRAY(
            SELECT before.symbol FROM before LEFT JOIN changed USING (instrument_id, symbol, name) WHERE changed.symbol IS NULL
            UNION
            SELECT changed.symbol FROM changed LEFT JOIN before USING (instrument_id, symbol, name) WHERE before.symbol IS NULL
        );
    ELSE
        named := ARRAY(SELECT DISTINCT symbol FROM changed);
    END IF;
    IF named = '{}' THEN
        RETURN NULL;
    END IF;
    INSERT INTO ops.stale (relation, days) VALUES ('cleaned.news', daterange(NULL, NULL));
    INSERT INTO ops.stale (relation, listing_id, days)
    SELECT 'features.daily', listings.listing_id, daterange(
        CAST(min(bar.open_time) AT TIME ZONE 'UTC' AS date) - 1, CAST(max(bar.open_time) AT TIME ZONE 'UTC' AS date) + 2)
    FROM records.listings
    INNER JOIN records.candles AS bar ON listings.listing_id = bar.listing_id AND bar."interval" = '1d'
    WHERE listings.symbol = ANY(named)
    GROUP BY listings.listing_id;
    RETURN NULL;
END $$;
DO $do$
BEGIN
    PERFORM ops.mark_changes('records.instruments', 'names', 'records.mark_names()');
END $do$;

---------------------------------------------------------------- views, whose tests read what changed
DO $do$
BEGIN
    PERFORM ops.mark_changes('records.candles', 'views', $$ops.mark_relations('staging.stg_records__candles')$$);
    PERFORM ops.mark_changes(
        'records.listings', 'views', $$ops.mark_relations('staging.stg_records__candles', 'staging.stg_records__listings')$$
    );
    PERFORM ops.mark_changes(
        'records.observations', 'views', $$ops.mark_relations('cleaned.observations_by_session', 'marts.fct_statistics')$$
    );
    PERFORM ops.mark_changes('records.observation_revisions', 'views', $$ops.mark_relations('cleaned.observations_by_session')$$);
    PERFORM ops.mark_changes('records.sessions', 'views', $$ops.mark_relations('cleaned.observations_by_session')$$);
    PERFORM ops.mark_changes('trading.wallets', 'views', $$ops.mark_relations('marts.fct_results')$$);
    PERFORM ops.mark_changes('trading.fills', 'views', $$ops.mark_relations('marts.fct_results')$$);
    PERFORM ops.mark_changes('trading.refusals', 'views', $$ops.mark_relations('marts.fct_results')$$);
    PERFORM ops.mark_changes('results.equity', 'views', $$ops.mark_relations('marts.fct_results')$$);
    PERFORM ops.mark_changes('results.performance', 'views', $$ops.mark_relations('marts.fct_results')$$);
END $do$;

---------------------------------------------------------------- events
DO $do$
BEGIN
    PERFORM ops.mark_changes('ops.runs', 'events', $$ops.mark_rows('run_id', 'event.run_ended')$$, '{insert,update}');
    PERFORM ops.mark_changes('trading.wallets', 'events', $$ops.mark_rows('wallet', 'event.wallet_opened')$$, '{insert}');
    PERFORM ops.mark_changes(
        'trading.orders', 'events', $$ops.mark_rows('intent_id', 'event.order_sent', 'event.order_ended')$$, '{insert,update}'
    );
    PERFORM ops.mark_changes('trading.fills', 'events', $$ops.mark_rows('fill_id', 'event.order_filled')$$, '{insert}');
    PERFORM ops.mark_changes('trading.refusals', 'events', $$ops.mark_rows('decision_id', 'event.decision_refused')$$, '{insert}');
    PERFORM ops.mark_changes('records.articles', 'events', $$ops.mark_rows('source, article_id', 'event.article_posted')$$, '{insert}');
END $do$;

---------------------------------------------------------------- checks
DO $do$
BEGIN
    PERFORM ops.mark_changes(
        'records.candles', 'check', $$ops.mark_rows('fetch_id', 'check.every_row_has_its_bytes')$$, '{insert,update}'
    );
    PERFORM ops.mark_changes('rawsources.fetches', 'check', $$ops.mark_rows('fetch_id', 'check.every_row_has_its_bytes')$$, '{delete}');
END $do$;
CREATE FUNCTION records.mark_shares() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ops.stale (relation, listing_id, days)
    SELECT DISTINCT 'check.bars_are_in_current_shares', listings.listing_id, daterange(NULL, NULL)
    FROM changed
    INNER JOIN records.listings AS own ON changed.listing_id = own.listing_id
    INNER JOIN records.listings AS listings ON own.symbol = listings.symbol;
    RETURN NULL;
END $$;
DO $do$
BEGIN
    PERFORM ops.mark_changes('records.split_adjustments', 'check', 'records.mark_shares()', '{insert,update}');
END $do$;

CREATE INDEX ON records.parses (fetch_id) WHERE outcome = 'refused';
CREATE INDEX ON ops.runs (started_at) WHERE ended_at IS NULL;
CREATE INDEX ON ops.runs (ended_at);

-- What is there already counts as changed once. An event that was recorded is skipped.
INSERT INTO ops.changed_rows (reader, key)
SELECT
    'event.run_ended' AS reader,
    ARRAY[run_id] AS key
FROM ops.runs
UNION ALL
SELECT
    'event.wallet_opened' AS reader,
    ARRAY[wallet] AS key
FROM trading.wallets
UNION ALL
SELECT
    readers.name AS reader,
    ARRAY[orders.intent_id] AS key
FROM trading.orders
CROSS JOIN (VALUES ('event.order_sent'), ('event.order_ended')) AS readers (name)
UNION ALL
SELECT
    'event.order_filled' AS reader,
    ARRAY[fill_id] AS key
FROM trading.fills
UNION ALL
SELECT
    'event.decision_refused' AS reader,
    ARRAY[decision_id] AS key
FROM trading.refusals
UNION ALL
SELECT
    readers.name AS reader,
    ARRAY[articles.source, articles.article_id] AS key
FROM records.articles
CROSS JOIN (VALUES ('event.article_posted'), ('cleaned.news')) AS readers (name)
UNION ALL
SELECT DISTINCT
    'check.every_row_has_its_bytes' AS reader,
    ARRAY[fetch_id::text] AS key
FROM records.candles;
INSERT INTO ops.stale (relation, listing_id, days)
SELECT DISTINCT
    'check.bars_are_in_current_shares' AS relation,
    listings.listing_id,
    daterange(NULL, NULL) AS days
FROM records.split_adjustments AS changed
INNER JOIN records.listings AS own ON changed.listing_id = own.listing_id
INNER JOIN records.listings AS listings ON own.symbol = listings.symbol;
