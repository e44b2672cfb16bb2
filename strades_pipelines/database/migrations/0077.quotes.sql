-- depends: 0073.lineage_marks

-- Best bids and asks, as venues state them. A side on which nobody stands is null. Grain: one row a listing, time and number of the venue.
CREATE TABLE records.quotes (
    listing_id      integer NOT NULL REFERENCES records.listings,
    quote_id        text NOT NULL,            -- the venue's number of the quote, which rises; empty where it numbers none
    event_time      timestamptz NOT NULL,     -- as the venue states it; when it came where it states none
    bid             double precision CHECK (bid > 0), -- highest price that somebody pays
    bid_size        double precision CHECK (bid_size >= 0), -- units at that price; null where the venue does not say
    ask             double precision CHECK (ask > 0), -- lowest price that somebody sells at
    ask_size        double precision CHECK (ask_size >= 0), -- units at that price; null where the venue does not say
    knowledge_time  timestamptz NOT NULL,
    knowledge_basis text NOT NULL CHECK (knowledge_basis IN ('stated', 'assumed', 'observed')),
    fetch_id        bigint NOT NULL,
    recorded_at     timestamptz NOT NULL,
    PRIMARY KEY (listing_id, event_time, quote_id),
    CHECK (bid <= ask),
    CHECK (bid IS NOT NULL OR ask IS NOT NULL)
);
CREATE INDEX ON records.quotes (fetch_id);
CREATE TABLE records.quote_revisions (
    LIKE records.quotes INCLUDING CONSTRAINTS,
    superseded_at timestamptz NOT NULL,
    PRIMARY KEY (listing_id, event_time, quote_id, recorded_at)
);
CREATE INDEX ON records.quote_revisions (fetch_id);

-- The newest quote of each listing that a stream keeps, for whoever shows a price: brought up to date once a second at most, and told of
-- then on the channel strades_last_quotes. Grain: one row a listing.
CREATE TABLE records.last_quotes (
    listing_id integer PRIMARY KEY REFERENCES records.listings,
    quote_id   text NOT NULL,        -- the venue's number of the quote; empty where it numbers none
    event_time timestamptz NOT NULL, -- as the venue states it; when it came where it states none
    bid        double precision,     -- highest price that somebody pays; null where nobody does
    bid_size   double precision,     -- units at that price; null where the venue does not say
    ask        double precision,     -- lowest price that somebody sells at; null where nobody does
    ask_size   double precision,     -- units at that price; null where the venue does not say
    updated_at timestamptz NOT NULL  -- when it was written, by the world's clock
);
GRANT SELECT ON records.quotes, records.quote_revisions, records.last_quotes TO strades_dashboard;
COMMENT ON TABLE records.quotes IS 'Best bids and asks: one row a listing, time and number of its venue.';
COMMENT ON TABLE records.quote_revisions IS 'Quotes that were replaced by another version, each until superseded_at.';
COMMENT ON TABLE records.last_quotes IS 'The newest quote of each listing that a stream keeps.';
