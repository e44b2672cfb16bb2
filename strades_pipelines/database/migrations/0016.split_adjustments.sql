-- depends: 0015.listing_currency

-- A provider that takes splits out of its prices restates all of them when one takes effect, but a settled question is not asked again.
-- What is stored of a fetch from before is in the old shares: its prices are divided by `ratio`, its volumes multiplied.
CREATE TABLE records.split_adjustments (
    listing_id     integer NOT NULL,
    fetch_id       bigint NOT NULL,           -- the bars and dividends that were read from it ...
    from_time      timestamptz NOT NULL,      -- ... from the one that opens (or goes ex) here
    to_time        timestamptz NOT NULL,      -- ... to the one that does here, inclusive
    ratio          double precision NOT NULL CHECK (ratio > 0), -- new shares for one of theirs: the product of the splits since
    basis          text NOT NULL CHECK (basis IN ('fetch_time', 'prices')), -- fetched before the split, or its prices jump by the ratio
    knowledge_time timestamptz NOT NULL,      -- when the last of those splits was known
    recorded_at    timestamptz NOT NULL,
    PRIMARY KEY (listing_id, fetch_id, from_time)
);
CREATE TABLE records.split_adjustment_revisions (
    listing_id     integer NOT NULL,
    fetch_id       bigint NOT NULL,
    from_time      timestamptz NOT NULL,
    to_time        timestamptz NOT NULL,
    ratio          double precision NOT NULL,
    basis          text NOT NULL,
    knowledge_time timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    superseded_at  timestamptz NOT NULL,
    PRIMARY KEY (listing_id, fetch_id, from_time, recorded_at)
);
