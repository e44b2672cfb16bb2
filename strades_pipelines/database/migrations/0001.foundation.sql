-- Schemas by layer, and the two roles that keep dbt and the migrations out of each other's tables.
-- `strades_app` owns what the migrations make; `strades_dbt` owns staging, cleaned and marts and may read the rest.

CREATE SCHEMA rawsources;
CREATE SCHEMA records;
CREATE SCHEMA features;
CREATE SCHEMA predictions;
CREATE SCHEMA signals;
CREATE SCHEMA trading;
CREATE SCHEMA results;
CREATE SCHEMA ops;

-- Which world this database belongs to; another world's process is refused.
CREATE TABLE ops.world (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    world      text NOT NULL CHECK (world IN ('sandbox', 'live')),
    stamped_at timestamptz NOT NULL DEFAULT now()
);

-- The report of each `strades run`, newest last.
CREATE TABLE ops.reports (
    report_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    finished_at timestamptz NOT NULL,
    document    jsonb NOT NULL
);

-- Fitted models, in a format that loads without running code. Bytes differ at every dump, so identity is predictions.models.fitted_hash.
CREATE TABLE ops.artifacts (
    model_id text PRIMARY KEY,
    format   text NOT NULL,
    body     bytea NOT NULL
);

---------------------------------------------------------------- rawsources
-- Every response body once, unmodified, zstd-compressed.
CREATE TABLE rawsources.bodies (
    sha256 bytea PRIMARY KEY CHECK (octet_length(sha256) = 32),  -- of the uncompressed bytes
    size   bigint NOT NULL,                                      -- uncompressed
    body   bytea NOT NULL                                        -- zstd
);
ALTER TABLE rawsources.bodies ALTER COLUMN body SET STORAGE EXTERNAL;

-- The fetch log: every attempt, with what was asked and what came.
CREATE TABLE rawsources.fetches (
    fetch_id      bigint PRIMARY KEY,         -- first 63 bits of sha256(source, request_key, fetched_at, outcome, sha256)
    source        text NOT NULL,              -- websites[].name
    protocol      text NOT NULL,
    request_key   text NOT NULL,              -- the same question asked again has the same key
    method        text NOT NULL DEFAULT 'GET',
    url           text NOT NULL,              -- the real url, also in the sandbox
    given         jsonb NOT NULL,             -- what the body does not say: symbol, interval, ...
    window_start  timestamptz,                -- [window_start, window_end) asked for; null where a source has no window
    window_end    timestamptz,
    month         date NOT NULL,              -- the partition
    status        integer,                    -- null: no answer
    headers       jsonb NOT NULL DEFAULT '{}',
    etag          text,
    last_modified text,
    fetched_at    timestamptz NOT NULL,
    outcome       text NOT NULL CHECK (outcome IN ('stored', 'not_modified', 'failed')),
    error         text,                       -- one line, with outcome 'failed'
    sha256        bytea REFERENCES rawsources.bodies,
    run_id        text NOT NULL,
    CHECK ((outcome = 'failed') = (error IS NOT NULL)),
    CHECK ((outcome = 'failed') OR sha256 IS NOT NULL)
);
CREATE INDEX ON rawsources.fetches (source, request_key, fetched_at);
CREATE INDEX ON rawsources.fetches (month, source);

---------------------------------------------------------------- records: identity
CREATE TABLE records.instruments (
    instrument_id text PRIMARY KEY,           -- financial_instruments[].id
    symbol        text NOT NULL,
    name          text NOT NULL,
    kind          text NOT NULL,              -- equity, crypto, fx, ...
    "interval"    text NOT NULL,
    start_date    timestamptz,
    end_date      timestamptz
);
-- An instrument at a venue. Tables hold listing_id; people see venue and symbol.
CREATE TABLE records.listings (
    listing_id    integer PRIMARY KEY,        -- first 31 bits of sha256(venue, symbol)
    venue         text NOT NULL,
    symbol        text NOT NULL,              -- the provider's own
    currency      text NOT NULL,
    tick_size     numeric NOT NULL CHECK (tick_size > 0),
    lot_size      numeric NOT NULL CHECK (lot_size > 0),
    adjustment    text NOT NULL CHECK (adjustment IN ('raw', 'split', 'full')),
    calendar      text NOT NULL,              -- an exchange_calendars name; '24/7' for crypto
    valid_from    timestamptz,
    valid_to      timestamptz,
    UNIQUE (venue, symbol)
);
CREATE TABLE records.sessions (
    calendar     text NOT NULL,
    session_date date NOT NULL,
    open_time    timestamptz NOT NULL,
    close_time   timestamptz NOT NULL CHECK (close_time > open_time),
    is_half_day  boolean NOT NULL,
    PRIMARY KEY (calendar, session_date)
);

---------------------------------------------------------------- records: what the sources said
-- Every row: knowledge_time (when the world could know it), knowledge_basis, recorded_at (when we stored it), fetch_id (whose bytes).
CREATE TABLE records.candles (
    listing_id      integer NOT NULL,         -- of records.listings; a foreign key costs a fifth of the load, dbt tests it
    "interval"      text NOT NULL,
    open_time       timestamptz NOT NULL,
    close_time      timestamptz NOT NULL,
    open            double precision NOT NULL,
    high            double precision NOT NULL,
    low             double precision NOT NULL,
    close           double precision NOT NULL,
    volume          double precision,
    quote_volume    double precision,
    trade_count     bigint,
    knowledge_time  timestamptz NOT NULL,
    knowledge_basis text NOT NULL CHECK (knowledge_basis IN ('stated', 'assumed', 'observed')),
    fetch_id        bigint NOT NULL,
    recorded_at     timestamptz NOT NULL,
    PRIMARY KEY (listing_id, "interval", open_time),
    CHECK (low <= open AND low <= close AND high >= open AND high >= close AND low > 0),
    CHECK (knowledge_time >= close_time)
);
CREATE INDEX ON records.candles (fetch_id);
CREATE TABLE records.candle_revisions (
    LIKE records.candles INCLUDING CONSTRAINTS,
    superseded_at timestamptz NOT NULL,
    PRIMARY KEY (listing_id, "interval", open_time, recorded_at)
);

CREATE TABLE records.trades (
    listing_id      integer NOT NULL REFERENCES records.listings,
    trade_id        text NOT NULL,
    event_time      timestamptz NOT NULL,
    price           double precision NOT NULL CHECK (price > 0),
    size            double precision NOT NULL CHECK (size > 0),
    side            text NOT NULL CHECK (side IN ('buy', 'sell')),
    knowledge_time  timestamptz NOT NULL,
    knowledge_basis text NOT NULL CHECK (knowledge_basis IN ('stated', 'assumed', 'observed')),
    fetch_id        bigint NOT NULL,
    recorded_at     timestamptz NOT NULL,
    PRIMARY KEY (listing_id, trade_id)
);
CREATE INDEX ON records.trades (listing_id, event_time);
CREATE INDEX ON records.trades (fetch_id);
CREATE TABLE records.trade_revisions (
    LIKE records.trades INCLUDING CONSTRAINTS,
    superseded_at timestamptz NOT NULL,
    PRIMARY KEY (listing_id, trade_id, recorded_at)
);

CREATE TABLE records.observations (
    series          text NOT NULL,            -- e.g. ECB:USD, units of USD for 1 EUR
    event_time      timestamptz NOT NULL,     -- a daily label at 00:00Z, not an instant
    value           double precision NOT NULL,
    unit            text NOT NULL,
    vintage         date,
    knowledge_time  timestamptz NOT NULL,
    knowledge_basis text NOT NULL CHECK (knowledge_basis IN ('stated', 'assumed', 'observed')),
    fetch_id        bigint NOT NULL,
    recorded_at     timestamptz NOT NULL,
    PRIMARY KEY (series, event_time)
);
CREATE INDEX ON records.observations (fetch_id);
CREATE TABLE records.observation_revisions (
    LIKE records.observations INCLUDING CONSTRAINTS,
    superseded_at timestamptz NOT NULL,
    PRIMARY KEY (series, event_time, recorded_at)
);

CREATE TABLE records.corporate_actions (
    listing_id      integer NOT NULL REFERENCES records.listings,
    ex_date         date NOT NULL,
    action          text NOT NULL CHECK (action IN ('dividend', 'split')),
    ratio           double precision,         -- split: new units for one old
    amount          double precision,         -- dividend: currency a unit, in the listing's adjustment
    currency        text,
    knowledge_time  timestamptz NOT NULL,
    knowledge_basis text NOT NULL CHECK (knowledge_basis IN ('stated', 'assumed', 'observed')),
    fetch_id        bigint NOT NULL,
    recorded_at     timestamptz NOT NULL,
    PRIMARY KEY (listing_id, ex_date, action)
);
CREATE INDEX ON records.corporate_actions (fetch_id);
CREATE TABLE records.corporate_action_revisions (
    LIKE records.corporate_actions INCLUDING CONSTRAINTS,
    superseded_at timestamptz NOT NULL,
    PRIMARY KEY (listing_id, ex_date, action, recorded_at)
);

-- Rows that were not fit to load, with the reason; their good neighbours were kept.
CREATE TABLE records.rejects (
    fetch_id bigint NOT NULL,
    location text NOT NULL,                   -- where in the body
    reason   text NOT NULL,
    raw      text NOT NULL,
    PRIMARY KEY (fetch_id, location, reason)
);
-- Which stored bodies were parsed, by which parser: the cursor of the records layer.
CREATE TABLE records.parses (
    fetch_id       bigint PRIMARY KEY,
    parser_version text NOT NULL,
    outcome        text NOT NULL CHECK (outcome IN ('parsed', 'refused')),
    error          text,
    records        integer NOT NULL,
    rejects        integer NOT NULL,
    CHECK ((outcome = 'refused') = (error IS NOT NULL))
);

---------------------------------------------------------------- the tables the project's user named
-- The action chain of each run of a protocol: what was done, in order.
CREATE TABLE rawsources.protocols_storage (
    id               text PRIMARY KEY,        -- run id and source
    time_gmt         timestamptz NOT NULL,
    software_version text NOT NULL,
    action_chain     jsonb NOT NULL
);
CREATE TABLE rawsources.live_scrapper_logs_info (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    time_gmt timestamptz NOT NULL,
    run_id   text NOT NULL,
    source   text NOT NULL,
    level    text NOT NULL,
    message  text NOT NULL
);
CREATE VIEW records.historical_prices_storage AS
SELECT
    l.venue,
    l.symbol,
    c."interval",
    c.open_time AS time_gmt,
    c.open,
    c.high,
    c.low,
    c.close,
    c.volume,
    c.fetch_id
FROM records.candles AS c
INNER JOIN records.listings AS l USING (listing_id);
