-- depends: 0036.finite_times_of_commands

-- What charts and calendars draw. NULL: the instant was measured before these were kept.
ALTER TABLE results.equity
ADD COLUMN growth double precision,           -- the equity as it would be had no money come in or gone out
ADD COLUMN drawdown double precision;         -- of growth from its highest value so far, <= 0

-- From a flat position in a listing to the next flat one, in the shares that the bars are in. Grain: one row a round trip.
CREATE TABLE results.round_trips (
    wallet       text NOT NULL REFERENCES trading.wallets,
    sequence     integer NOT NULL,            -- in the order in which their first fills became known, from 0
    listing_id   integer NOT NULL REFERENCES records.listings,
    side         text NOT NULL CHECK (side IN ('long', 'short')), -- of its first fill
    opened_at    timestamptz NOT NULL,
    closed_at    timestamptz,                 -- NULL: it is open
    fills        integer NOT NULL CHECK (fills > 0),
    quantity     numeric NOT NULL CHECK (quantity > 0), -- of all fills on the side that opened it
    entry_price  numeric NOT NULL,            -- average of those, to ten decimals, fees apart
    exit_price   numeric,                     -- average of the fills on the other side; NULL: there is none
    fees         numeric NOT NULL,            -- of all fills; one in a currency without a known rate is not in it
    profit       numeric,                     -- fees in; NULL: it is open
    last_fill_at timestamptz NOT NULL,        -- when its newest fill became known
    PRIMARY KEY (wallet, sequence),
    CHECK ((closed_at IS NULL) = (profit IS NULL))
);
GRANT SELECT ON results.round_trips TO strades_dashboard;

-- How many sets of parameters a strategy was ever tried with.
CREATE INDEX ON ops.trials (strategy);

-- Wallets that trade are measured from their opening once more, so that all of their instants have the new columns.
DELETE FROM trading.wallet_checkpoints
WHERE purpose = 'measure';
