-- Which bars Sources.json asks for: what is not there is missing only if somebody asked for it.
CREATE TABLE records.bar_series (
    listing_id    integer NOT NULL REFERENCES records.listings,
    "interval"    text NOT NULL,
    source        text NOT NULL,              -- websites[].name
    starts_at     timestamptz NOT NULL,       -- [starts_at, ends_at); null while it goes on
    ends_at       timestamptz,
    step_seconds  integer NOT NULL CHECK (step_seconds > 0), -- length of a bar
    reach_seconds bigint,                     -- how far back the provider answers; null where it sets no limit
    lag_seconds   integer NOT NULL,           -- how long after its end a bar may still be absent from an answer
    PRIMARY KEY (listing_id, "interval", source)
);
