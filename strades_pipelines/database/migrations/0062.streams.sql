-- depends: 0045.moved_actions 0032.dashboard 0054.records_corrected

-- Every frame of every stream, as it came, before anything is made of it. Grain: one row a frame of a connection.
CREATE TABLE rawsources.frames (
    connection  bigint NOT NULL,              -- a new one each time that the stream is connected
    sequence    bigint NOT NULL,              -- from 0, in the order of arrival
    source      text NOT NULL,                -- websites[].name
    received_at timestamptz NOT NULL,
    fetch_id    bigint,                       -- the batch that was parsed; null: it holds no records (an acknowledgement, a forming bar)
    frame       bytea NOT NULL,
    PRIMARY KEY (connection, sequence)
);
CREATE INDEX ON rawsources.frames (fetch_id) WHERE fetch_id IS NOT NULL;
CREATE INDEX ON rawsources.frames (source, received_at);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON rawsources.frames
FOR EACH ROW EXECUTE FUNCTION trading.refuse_change();

-- Bars built from the trades in records.trades, beside those that the venue states. Grain: one row a listing, interval and bar.
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
-- A bar that a late trade has changed, as it was before. Grain: one row a version that is no longer so.
CREATE TABLE records.trade_bar_revisions (
    LIKE records.trade_bars,
    superseded_at timestamptz NOT NULL,
    PRIMARY KEY (listing_id, "interval", open_time, recorded_at)
);

-- How each stream does, as its process last said. Grain: one row a source and instrument.
CREATE TABLE ops.stream_states (
    source        text NOT NULL,
    instrument_id text NOT NULL,
    connection    bigint,                     -- null: not connected
    state         text NOT NULL,              -- live, stale, repairing or down
    last_frame_at timestamptz,                -- the newest frame with a record
    gaps          integer NOT NULL,           -- stretches that are being asked for again
    detail        text,
    updated_at    timestamptz NOT NULL,
    complete_from timestamptz,                -- its bars begin behind this trade: of those before, some are missing
    complete_until timestamptz,               -- start of the oldest open hole, else the newest record; a start asks from there on
    PRIMARY KEY (source, instrument_id)
);
GRANT SELECT ON rawsources.frames, records.trade_bars, records.trade_bar_revisions, ops.stream_states
TO strades_dashboard;
