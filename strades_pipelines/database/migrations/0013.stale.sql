-- depends: 0012.loaded_at

-- What derived tables have yet to take in. Whatever writes a record marks, in the same transaction, the days that tables
-- made of it have to work out again; a table takes its marks away in the transaction in which it has done so. Marks are
-- only ever added and taken, never changed, so that writers do not wait for each other.
CREATE TABLE ops.stale (
    relation   text NOT NULL,                 -- the table that has work to do, such as cleaned.session_bars
    listing_id integer,                       -- null: every listing
    days       daterange NOT NULL,            -- the session dates concerned
    marked_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON ops.stale (relation, listing_id);
GRANT SELECT, INSERT, DELETE ON ops.stale TO strades_dbt;

-- A bar belongs to a session of its date in UTC, or of the day before or after it.
CREATE FUNCTION records.mark_candles() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ops.stale (relation, listing_id, days)
    SELECT 'cleaned.session_bars', listing_id, unnest(range_agg(daterange(day - 1, day + 2)))
    FROM (
        SELECT DISTINCT listing_id, CAST(open_time AT TIME ZONE 'UTC' AS date) AS day
        FROM changed WHERE "interval" = '1d'
    ) AS days
    GROUP BY listing_id;
    INSERT INTO ops.stale (relation, listing_id, days)
    SELECT 'cleaned.gaps', listing_id, daterange(CAST(min(open_time) AT TIME ZONE 'UTC' AS date), NULL)
    FROM changed GROUP BY listing_id;
    RETURN NULL;
END $$;
CREATE TRIGGER mark_inserted AFTER INSERT ON records.candles
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_candles();
CREATE TRIGGER mark_updated AFTER UPDATE ON records.candles
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_candles();
CREATE TRIGGER mark_deleted AFTER DELETE ON records.candles
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_candles();

CREATE FUNCTION records.mark_corporate_actions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ops.stale (relation, listing_id, days)
    SELECT 'cleaned.growth_factors', listing_id, daterange(min(ex_date), NULL) FROM changed GROUP BY listing_id;
    RETURN NULL;
END $$;
CREATE TRIGGER mark_inserted AFTER INSERT ON records.corporate_actions
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_corporate_actions();
CREATE TRIGGER mark_updated AFTER UPDATE ON records.corporate_actions
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_corporate_actions();
CREATE TRIGGER mark_deleted AFTER DELETE ON records.corporate_actions
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_corporate_actions();

-- What is published concerns the features of every listing, from when it was known on.
CREATE FUNCTION records.mark_published() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ops.stale (relation, days)
    SELECT 'features.daily', unnest(range_agg(daterange(day, day + 40)))
    FROM (SELECT DISTINCT CAST(knowledge_time AT TIME ZONE 'UTC' AS date) AS day FROM changed) AS days;
    RETURN NULL;
END $$;
CREATE TRIGGER mark_inserted AFTER INSERT ON records.observations
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_published();
CREATE TRIGGER mark_updated AFTER UPDATE ON records.observations
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_published();
CREATE TRIGGER mark_replaced AFTER UPDATE ON records.observations
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_published();
CREATE TRIGGER mark_deleted AFTER DELETE ON records.observations
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_published();
CREATE TRIGGER mark_inserted AFTER INSERT ON records.articles
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_published();
CREATE TRIGGER mark_updated AFTER UPDATE ON records.articles
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_published();
CREATE TRIGGER mark_replaced AFTER UPDATE ON records.articles
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_published();
CREATE TRIGGER mark_deleted AFTER DELETE ON records.articles
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_published();

-- A listing that is new or described anew may quote another market, and with it change what others of its name do.
CREATE FUNCTION records.mark_listings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ops.stale (relation, listing_id, days)
    SELECT relations.name, listings.listing_id, daterange(NULL, NULL)
    FROM records.listings
    CROSS JOIN (VALUES ('cleaned.session_bars'), ('cleaned.price_conflicts'), ('cleaned.growth_factors'), ('cleaned.gaps'),
        ('marts.fct_coverage')) AS relations (name)
    WHERE listings.symbol IN (SELECT symbol FROM changed);
    -- Its months are asked for: only those that it has bars of.
    INSERT INTO ops.stale (relation, listing_id, days)
    SELECT 'cleaned.daily_bars', listings.listing_id, daterange(
        CAST(min(bar.open_time) AT TIME ZONE 'UTC' AS date) - 1, CAST(max(bar.open_time) AT TIME ZONE 'UTC' AS date) + 2)
    FROM records.listings
    INNER JOIN records.listings AS others ON listings.symbol = others.symbol
    INNER JOIN records.candles AS bar ON others.listing_id = bar.listing_id AND bar."interval" = '1d'
    WHERE listings.symbol IN (SELECT symbol FROM changed)
    GROUP BY listings.listing_id;
    RETURN NULL;
END $$;
CREATE TRIGGER mark_inserted AFTER INSERT ON records.listings
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_listings();
CREATE TRIGGER mark_updated AFTER UPDATE ON records.listings
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_listings();

-- The sessions of another year, or of a corrected calendar, may have bars that lay outside of every session before.
CREATE FUNCTION records.mark_sessions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ops.stale (relation, listing_id, days)
    SELECT 'cleaned.session_bars', listings.listing_id, days.days
    FROM (
        SELECT calendar, daterange(min(session_date), max(session_date) + 1) AS days FROM changed GROUP BY calendar
    ) AS days
    INNER JOIN records.listings USING (calendar)
    WHERE EXISTS (
        SELECT FROM records.candles AS bar WHERE bar.listing_id = listings.listing_id AND bar."interval" = '1d'
        AND bar.open_time >= CAST(lower(days.days) - 1 AS timestamp) AT TIME ZONE 'UTC'
        AND bar.open_time < CAST(upper(days.days) + 1 AS timestamp) AT TIME ZONE 'UTC'
    );
    INSERT INTO ops.stale (relation, listing_id, days)
    SELECT 'cleaned.gaps', listings.listing_id, daterange(min(changed.session_date) - 1, NULL)
    FROM changed INNER JOIN records.listings USING (calendar) GROUP BY listings.listing_id;
    INSERT INTO ops.stale (relation, listing_id, days)
    SELECT 'marts.fct_coverage', listings.listing_id, daterange(min(changed.session_date), max(changed.session_date) + 1)
    FROM changed INNER JOIN records.listings USING (calendar) GROUP BY listings.listing_id;
    RETURN NULL;
END $$;
CREATE TRIGGER mark_inserted AFTER INSERT ON records.sessions
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_sessions();
CREATE TRIGGER mark_updated AFTER UPDATE ON records.sessions
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_sessions();
CREATE TRIGGER mark_deleted AFTER DELETE ON records.sessions
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_sessions();

-- Which bars are missing, and why, hangs on what was asked for, asked and answered as well. An attempt changes nothing
-- before the time that it asked for, or before the time up to which an earlier attempt had shown what was over.
CREATE FUNCTION records.mark_attempts(ids bigint[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO ops.stale (relation, listing_id, days)
    SELECT 'cleaned.gaps', series.listing_id, daterange(CAST(min(least(
            coalesce(attempt.window_start, '-infinity'),
            coalesce(greatest(own.fetched_at, shared.fetched_at), '-infinity') - make_interval(secs => series.lag_seconds)
        )) AT TIME ZONE 'UTC' AS date) - 1, NULL) -- a session may open the evening before its date
    FROM rawsources.fetches AS attempt
    INNER JOIN records.bar_series AS series ON attempt.source = series.source
    INNER JOIN records.listings AS listing ON series.listing_id = listing.listing_id
    LEFT JOIN LATERAL (
        SELECT earlier.fetched_at FROM rawsources.fetches AS earlier
        WHERE earlier.source = series.source AND earlier.given ->> 'symbol' = listing.symbol
            AND earlier.fetch_id <> ALL(ids)
            AND coalesce(earlier.given ->> 'interval', series.interval) = series.interval
        ORDER BY earlier.fetched_at DESC LIMIT 1
    ) AS own ON true
    LEFT JOIN LATERAL (
        SELECT earlier.fetched_at FROM rawsources.fetches AS earlier
        WHERE earlier.source = series.source AND earlier.given ->> 'symbol' IS NULL
            AND earlier.fetch_id <> ALL(ids)
            AND coalesce(earlier.given ->> 'interval', series.interval) = series.interval
        ORDER BY earlier.fetched_at DESC LIMIT 1
    ) AS shared ON true
    WHERE attempt.fetch_id = ANY(ids) AND coalesce(attempt.given ->> 'symbol', listing.symbol) = listing.symbol
    GROUP BY series.listing_id
$$;
CREATE FUNCTION records.mark_fetches() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM records.mark_attempts(array_agg(fetch_id)) FROM changed;
    RETURN NULL;
END $$;
CREATE TRIGGER mark_inserted AFTER INSERT ON rawsources.fetches
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_fetches();
CREATE TRIGGER mark_inserted AFTER INSERT ON records.parses
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_fetches();
CREATE TRIGGER mark_updated AFTER UPDATE ON records.parses
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_fetches();

CREATE FUNCTION records.mark_bar_series() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ops.stale (relation, listing_id, days)
    SELECT DISTINCT 'cleaned.gaps', listing_id, daterange(NULL, NULL) FROM changed;
    RETURN NULL;
END $$;
CREATE TRIGGER mark_inserted AFTER INSERT ON records.bar_series
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_bar_series();
CREATE TRIGGER mark_updated AFTER UPDATE ON records.bar_series
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_bar_series();
CREATE TRIGGER mark_deleted AFTER DELETE ON records.bar_series
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION records.mark_bar_series();

-- The attempts of a series: those that asked for a time from some day on, and the newest.
CREATE INDEX ON rawsources.fetches (source, (given ->> 'symbol'), window_end);
CREATE INDEX ON rawsources.fetches (source, (given ->> 'symbol'), fetched_at);
