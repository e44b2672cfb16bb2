-- depends: 0065.trades_heard

-- The newest trade of each listing that a stream keeps, for whoever shows a price: brought up to date once a second at most, and told
-- of then on the channel strades_last_trades. Grain: one row a listing.
CREATE TABLE records.last_trades (
    listing_id integer PRIMARY KEY REFERENCES records.listings,
    trade_id   text NOT NULL,
    event_time timestamptz NOT NULL,
    price      double precision NOT NULL,
    size       double precision NOT NULL,
    side       text NOT NULL,
    updated_at timestamptz NOT NULL
);
GRANT SELECT ON records.last_trades TO strades_dashboard;
