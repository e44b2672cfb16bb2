---------------------------------------------------------------- features and predictions
-- One row a listing and session, computed only from what was known at decision_time: the database holds it.
CREATE TABLE features.daily (
    listing_id         integer NOT NULL REFERENCES records.listings,
    session_date       date NOT NULL,
    decision_time      timestamptz NOT NULL,
    return_1           double precision,
    return_5           double precision,
    return_20          double precision,
    volatility_20      double precision,
    sma_ratio_10       double precision,
    sma_ratio_50       double precision,
    rsi_14             double precision,
    volume_ratio_20    double precision,
    range_20           double precision,
    eurusd_return_5    double precision,
    window_start       date NOT NULL,         -- the oldest session that went in
    max_knowledge_time timestamptz NOT NULL,
    inputs_hash        text NOT NULL,         -- sha256 over the values that went in
    recorded_at        timestamptz NOT NULL,
    PRIMARY KEY (listing_id, decision_time),
    CHECK (max_knowledge_time <= decision_time)
);

CREATE TABLE predictions.models (
    model_id      text PRIMARY KEY,           -- sha256 of (name, code version, data hash, parameters, seed, library versions)
    name          text NOT NULL,
    month         date NOT NULL,              -- the month it predicts
    trained_at    timestamptz NOT NULL,       -- the month's first instant: nothing known later went in
    train_from    timestamptz NOT NULL,       -- first and last decision_time of the training rows
    train_to      timestamptz NOT NULL,
    train_rows    integer NOT NULL,
    max_label_known_at timestamptz NOT NULL,
    parameters    jsonb NOT NULL,
    data_hash     text NOT NULL,
    fitted_hash   text NOT NULL,              -- over the fitted numbers, not the file
    metrics       jsonb NOT NULL,
    recorded_at   timestamptz NOT NULL,
    CHECK (max_label_known_at <= trained_at)
);
CREATE INDEX ON predictions.models (name, month);

CREATE TABLE predictions.forecasts (
    prediction_id text PRIMARY KEY,           -- base32 sha256 of (name, listing, decision_time, model_id, inputs_hash)
    name          text NOT NULL,
    listing_id    integer NOT NULL REFERENCES records.listings,
    session_date  date NOT NULL,
    decision_time timestamptz NOT NULL,       -- also its knowledge_time
    model_id      text REFERENCES predictions.models,
    value         double precision,           -- expected next-session log return
    status        text NOT NULL CHECK (status IN ('predicted', 'no_model', 'no_features')),
    inputs_hash   text NOT NULL,
    recorded_at   timestamptz NOT NULL,
    CHECK ((status = 'predicted') = (value IS NOT NULL AND model_id IS NOT NULL))
);
CREATE INDEX ON predictions.forecasts (listing_id, decision_time);

CREATE TABLE predictions.scores (
    prediction_id text PRIMARY KEY REFERENCES predictions.forecasts,
    label         double precision NOT NULL,  -- what came
    label_known_at timestamptz NOT NULL,
    error         double precision NOT NULL,  -- value - label
    baseline_error double precision NOT NULL, -- of "no change": -label
    recorded_at   timestamptz NOT NULL
);

---------------------------------------------------------------- trading
CREATE TABLE trading.wallets (
    wallet           text PRIMARY KEY,
    mode             text NOT NULL CHECK (mode IN ('replay', 'paper', 'live')),
    strategy         text NOT NULL,
    parameters       jsonb NOT NULL,
    instruments      text[] NOT NULL,         -- VENUE:SYMBOL
    "interval"       text NOT NULL,
    code_hash        text NOT NULL,
    currency         text NOT NULL,
    opening_cash     numeric NOT NULL CHECK (opening_cash >= 0),
    fee_rate         numeric NOT NULL CHECK (fee_rate >= 0), -- of the notional: 0.001 is 0.1 %
    opened_at        timestamptz NOT NULL,    -- decisions known earlier are never executed
    window_end       timestamptz,             -- replay wallets: [opened_at, window_end)
    as_of            timestamptz,             -- replay wallets: newest recorded_at of the inputs
    max_decision_age interval NOT NULL,
    state            text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'halted'))
);

CREATE TABLE signals.decisions (
    decision_id     text PRIMARY KEY,         -- base32(sha256(wallet, strategy, listing, trigger time and id, ordinal))[:26]
    wallet          text NOT NULL REFERENCES trading.wallets,
    strategy        text NOT NULL,
    listing_id      integer NOT NULL REFERENCES records.listings,
    decided_at      timestamptz NOT NULL,     -- knowledge_time of the trigger
    trigger_kind    text NOT NULL,            -- bar, prediction
    trigger_id      text NOT NULL,            -- bar: <interval>@<open_time>; prediction: prediction_id
    ordinal         integer NOT NULL,
    previous_target double precision NOT NULL,
    target          double precision NOT NULL, -- units to hold
    reason          text NOT NULL,
    inputs          jsonb NOT NULL,
    recorded_at     timestamptz NOT NULL
);
CREATE INDEX ON signals.decisions (wallet, decided_at);

-- Committed before any network call. intent_id is the client order id; this key decides that there is one order.
CREATE TABLE trading.intents (
    intent_id   text PRIMARY KEY,             -- base32(sha256(..., leg))[:26]
    decision_id text NOT NULL REFERENCES signals.decisions,
    wallet      text NOT NULL REFERENCES trading.wallets,
    listing_id  integer NOT NULL REFERENCES records.listings,
    leg         integer NOT NULL,
    side        text NOT NULL CHECK (side IN ('buy', 'sell')),
    quantity    numeric NOT NULL CHECK (quantity > 0),
    order_type  text NOT NULL DEFAULT 'market' CHECK (order_type IN ('market')),
    intended_at timestamptz NOT NULL,         -- decided_at
    recorded_at timestamptz NOT NULL,
    UNIQUE (decision_id, leg)
);
-- Decisions that will never become an intent, and why: too old, superseded by a newer one, over a limit, ...
CREATE TABLE trading.refusals (
    decision_id text PRIMARY KEY REFERENCES signals.decisions,
    wallet      text NOT NULL REFERENCES trading.wallets,
    code        text NOT NULL,
    detail      text NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE TABLE trading.orders (
    intent_id    text PRIMARY KEY REFERENCES trading.intents,
    wallet       text NOT NULL REFERENCES trading.wallets,
    broker       text NOT NULL,
    venue_order_id text,
    state        text NOT NULL CHECK (state IN ('submitting', 'unknown', 'open', 'filled', 'rejected', 'cancelled', 'expired')),
    reason       text,
    submitted_at timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);
CREATE TABLE trading.fills (
    fill_id     text PRIMARY KEY,             -- base32(sha256(intent_id, venue's fill id))[:26]
    intent_id   text NOT NULL REFERENCES trading.intents,
    wallet      text NOT NULL REFERENCES trading.wallets,
    listing_id  integer NOT NULL REFERENCES records.listings,
    side        text NOT NULL CHECK (side IN ('buy', 'sell')),
    quantity    numeric NOT NULL CHECK (quantity > 0),
    price       numeric NOT NULL CHECK (price > 0),
    fee         numeric NOT NULL,
    currency    text NOT NULL,
    filled_at   timestamptz NOT NULL,         -- the instant of the price (the next bar's open)
    known_at    timestamptz NOT NULL,         -- when the fill was reported
    bar_interval text,                        -- paper and replay: the bar whose open it took
    bar_open_time timestamptz,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX ON trading.fills (wallet, filled_at);
CREATE TABLE trading.positions (
    wallet        text NOT NULL REFERENCES trading.wallets,
    listing_id    integer NOT NULL REFERENCES records.listings,
    quantity      numeric NOT NULL,
    average_price numeric NOT NULL,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (wallet, listing_id)
);
CREATE TABLE trading.cash (
    wallet     text NOT NULL REFERENCES trading.wallets,
    currency   text NOT NULL,
    balance    numeric NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (wallet, currency)
);
-- Append-only; each row's hash covers the one before it, per wallet.
CREATE TABLE trading.ledger (
    wallet        text NOT NULL REFERENCES trading.wallets,
    sequence      integer NOT NULL CHECK (sequence >= 0),
    kind          text NOT NULL CHECK (kind IN ('deposit', 'fill', 'fee')),
    reference     text NOT NULL,              -- wallet for a deposit, fill_id otherwise
    occurred_at   timestamptz NOT NULL,
    currency      text NOT NULL,
    amount        numeric NOT NULL,
    balance       numeric NOT NULL,
    previous_hash text NOT NULL,
    hash          text NOT NULL,
    PRIMARY KEY (wallet, sequence),
    UNIQUE (wallet, kind, reference)
);
CREATE FUNCTION trading.refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '%.% is append-only', tg_table_schema, tg_table_name; END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON trading.ledger FOR EACH ROW EXECUTE FUNCTION trading.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON trading.fills FOR EACH ROW EXECUTE FUNCTION trading.refuse_change();

-- The paper venue's own books: written and committed by the venue, never in a transaction of ours.
CREATE TABLE trading.paper_venue_orders (
    client_order_id text PRIMARY KEY,         -- the venue takes an id once
    account         text NOT NULL,
    listing_id      integer NOT NULL,
    side            text NOT NULL CHECK (side IN ('buy', 'sell')),
    quantity        numeric NOT NULL CHECK (quantity > 0),
    accepted_at     timestamptz NOT NULL,     -- no price from before this instant
    state           text NOT NULL CHECK (state IN ('open', 'filled', 'rejected')),
    reason          text,
    price           numeric,
    fee             numeric,
    bar_interval    text,
    bar_open_time   timestamptz,
    CHECK ((state = 'filled') = (price IS NOT NULL AND fee IS NOT NULL AND bar_open_time IS NOT NULL))
);
CREATE INDEX ON trading.paper_venue_orders (account, state);

---------------------------------------------------------------- results
CREATE TABLE results.equity (
    wallet    text NOT NULL REFERENCES trading.wallets,
    time      timestamptz NOT NULL,           -- knowledge_time of the bars valued
    cash      double precision NOT NULL,
    holdings  double precision NOT NULL,
    equity    double precision NOT NULL,
    benchmark double precision NOT NULL,      -- buy and hold, equal weights at the first bar
    PRIMARY KEY (wallet, time)
);
CREATE TABLE results.performance (
    wallet     text PRIMARY KEY REFERENCES trading.wallets,
    statistics jsonb NOT NULL,
    benchmark  jsonb NOT NULL
);
