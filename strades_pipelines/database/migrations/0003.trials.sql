-- Every set of parameters ever run on some data: the best of many looks better than it is, and this says how many.
CREATE TABLE ops.trials (
    key              text PRIMARY KEY,          -- SHA-256 over data, code, parameters and options
    data_hash        text NOT NULL,
    code_hash        text NOT NULL,
    strategy         text NOT NULL,
    parameters       jsonb NOT NULL,
    options          jsonb NOT NULL,            -- fees, fills, sizes: what else changes the result
    sharpe           double precision,          -- per period; null where the account did not vary
    n                integer NOT NULL,          -- returns it was taken from
    periods_per_year double precision,
    total_return     double precision,
    recorded_at      timestamptz NOT NULL
);
CREATE INDEX ON ops.trials (data_hash, recorded_at);
