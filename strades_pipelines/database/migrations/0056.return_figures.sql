-- depends: 0045.moved_actions 0032.dashboard

-- Returns of a wallet over all of its sessions, how those that have ended are spread, and how far the slippage of its fills has been
-- measured. Returns are simple ones, 0.01 for 1 %. NULL: not defined. Grain: one row a wallet.
CREATE TABLE results.return_statistics (
    wallet         text PRIMARY KEY REFERENCES trading.wallets,
    first_session  date NOT NULL,
    measured_at    timestamptz NOT NULL,      -- when the last session was valued
    sessions       integer NOT NULL CHECK (sessions > 0), -- with the open one
    time_weighted  double precision,          -- since the opening, linked over sessions
    money_weighted double precision,          -- a year: the internal rate of return of what flowed in and out
    unvalued       text[] NOT NULL,           -- currencies without a known rate, which neither return has in it
    ended_sessions integer NOT NULL,          -- those that the columns below are over
    ended_at       timestamptz,               -- the end of the last of them
    mean_return    double precision,
    deviation      double precision,          -- of a sample
    worst_return   double precision,
    best_return    double precision,
    bin_edges      double precision[] NOT NULL, -- of the histogram, ascending, one more than counts; empty without returns
    bin_counts     integer[] NOT NULL,        -- sessions; each bin has its lower edge in it, the last one both
    draws          integer,                   -- of the bootstrap behind results.growth_bands
    mean_block     double precision,          -- sessions of a block of it, on average
    seed           integer,
    confidence     double precision,          -- the share of the draws between lower and upper
    last_sequence  bigint NOT NULL            -- of the ledger: slippage of the fills up to that line is measured
);

-- What one unit of money came to, and between what it lies when the ended sessions come in another order: quantiles of a stationary
-- bootstrap, of each session by itself. Grain: one row a wallet and ended session.
CREATE TABLE results.growth_bands (
    wallet       text NOT NULL REFERENCES trading.wallets,
    session_date date NOT NULL,
    growth       double precision NOT NULL,   -- 1 + the return since the opening
    lower        double precision NOT NULL,
    median       double precision NOT NULL,
    upper        double precision NOT NULL,
    PRIMARY KEY (wallet, session_date)
);

-- What a fill cost beyond the last close that was known when it was decided, fees apart. Money in the currency of the fill, in the
-- shares of its time. Fills of statements have none. Grain: one row a fill.
CREATE TABLE results.fill_slippage (
    fill_id    text PRIMARY KEY REFERENCES trading.fills,
    wallet     text NOT NULL REFERENCES trading.wallets,
    listing_id integer NOT NULL REFERENCES records.listings,
    decided_at timestamptz NOT NULL,
    filled_at  timestamptz NOT NULL,
    side       text NOT NULL,
    quantity   numeric NOT NULL,
    price      numeric NOT NULL,
    currency   text NOT NULL,
    reference  numeric,                       -- that close; NULL: no bar was known
    slippage   numeric,                       -- (price less reference) x quantity of a purchase, its opposite of a sale
    CHECK ((reference IS NULL) = (slippage IS NULL))
);
CREATE INDEX ON results.fill_slippage (wallet, filled_at, fill_id);

-- The same in sum. Grain: one row a wallet, listing and currency.
CREATE TABLE results.listing_slippage (
    wallet     text NOT NULL REFERENCES trading.wallets,
    listing_id integer NOT NULL REFERENCES records.listings,
    currency   text NOT NULL,
    fills      integer NOT NULL,              -- with a reference
    unpriced   integer NOT NULL,              -- without one, in none of the sums
    notional   numeric NOT NULL,              -- reference x quantity
    slippage   numeric NOT NULL,
    PRIMARY KEY (wallet, listing_id, currency)
);
GRANT SELECT ON results.return_statistics, results.growth_bands, results.fill_slippage, results.listing_slippage
TO strades_dashboard;
