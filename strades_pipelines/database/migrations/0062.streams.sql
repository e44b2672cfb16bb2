-- depends: 0045.moved_actions 0032.dashboard 0054.records_corrected

-- Every frame of every stream, unchanged, stored before it is parsed. Grain: one row per frame of a connection.
CREATE TABLE rawsources.frames (
    connection  bigint NOT NULL,              -- a new number for each connection of the stream
    sequence    bigint NOT NULL,              -- from 0, in the order of arrival
    source      text NOT NULL,                -- websites[].name
    received_at timestamptz NOT NULL,
    fetch_id    bigint,                       -- the batch that it was parsed in; null: no records in it (an acknowledgement, a forming bar)
    frame       bytea NOT NULL,
    PRIMARY KEY (connection, sequence)
);
CREATE INDEX ON rawsources.frames (fetch_id) WHERE fetch_id IS NOT NULL;
CREATE INDEX ON rawsources.frames (source, received_at);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON rawsources.frames
FOR EACH ROW EXECUTE FUNCTION trading.refuse_change();

-- Bars built from records.trades, apart from those that the venue publishes. Grain: one row per listing, interval and bar.
CREATE TABLE records.trade_bars (
    listing_id     integer NOT NULL REFERENCES records.listings,
    "interval"     text NOT NULL,
    open_time      timestamptz NOT NULL,
    close_time     timestamptz NOT NULL,
    open           double precision NOT NULL,
    high           double precision NOT NULL,
    low            double precision NOT NULL,
    close          double precision NOT NULL,
    volume         double precision NOT NULL,
    quote_volume   double precision NOT NULL,
    trade_count    bigint NOT NULL,
    knowledge_time timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    PRIMARY KEY (listing_id, "interval", open_time)
);
-- Versions of a bar before a late trade changed it. Grain: one row per superseded version.
CREATE TABLE records.trade_bar_revisions (
    LIKE records.trade_bars,
    superseded_at timestamptz NOT NULL,
    PRIMARY KEY (listing_id, "interval", open_time, recorded_at)
);

-- The state of each stream, as its process last reported it. Grain: one row per source and instrument.
CREATE TABLE ops.stream_states (
    source        text NOT NULL,
    instrument_id text NOT NULL,
    connection    bigint,                     -- null: not connected
    state         text NOT NULL,              -- live, stale, repairing or down
    last_frame_at timestamptz,                -- the newest frame with a record
    gaps          integer NOT NULL,           -- spans that are being fetched again
    detail        text,
    updated_at    timestamptz NOT NULL,
    complete_from timestamptz,                -- bars are built from trades after this instant; before it some trades are missing
    complete_until timestamptz,               -- start of the oldest open gap, else the newest record; a restart fetches from here on
    PRIMARY KEY (source, instrument_id)
);
GRANT SELECT ON rawsources.frames, records.trade_bars, records.trade_bar_revisions, ops.stream_states
TO strades_dashboard;
