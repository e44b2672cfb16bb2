-- depends: 0025.commands

---------------------------------------------------------------- fees
ALTER TABLE trading.fills
ADD COLUMN fee_currency text,                 -- NULL: that of the price
ADD COLUMN fee_in_units boolean NOT NULL DEFAULT false, -- it was taken out of the units
ADD COLUMN fee_value numeric,                 -- of a fee in a third currency, in that of the price. NULL: no rate was known
ADD COLUMN venue_fill_id text;                -- the venue's own id. NULL: of a replay, or booked before it was kept
CREATE INDEX ON trading.fills (wallet, listing_id, venue_fill_id);
ALTER TABLE trading.positions
ADD COLUMN cost numeric,                      -- of what is held, fees in, at average cost. NULL until the next fill
ADD COLUMN realised numeric;                  -- profit of what was sold, fees in, at average cost

---------------------------------------------------------------- cash that no fill moved
-- Files of a broker with trades and cash of the wallet's account that were made elsewhere.
CREATE TABLE trading.statements (
    wallet      text NOT NULL REFERENCES trading.wallets,
    sha256      bytea NOT NULL REFERENCES rawsources.bodies,
    file_name   text NOT NULL,
    format      text NOT NULL,
    rows        integer NOT NULL,             -- in the file
    booked      integer NOT NULL,             -- of them new
    command_id  bigint NOT NULL REFERENCES trading.commands,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (wallet, sha256)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON trading.statements
FOR EACH ROW EXECUTE FUNCTION trading.refuse_change();
-- What a wallet was paid in and out, earned and was charged: why, and who says so. Append-only.
CREATE TABLE trading.movements (
    wallet      text NOT NULL REFERENCES trading.wallets,
    movement_id text NOT NULL,                -- both sides of a transfer have the same
    kind        text NOT NULL CHECK (kind IN ('deposit', 'withdrawal', 'transfer', 'dividend', 'interest', 'charge')),
    currency    text NOT NULL,
    amount      numeric NOT NULL CHECK (amount <> 0), -- the change of the cash
    occurred_at timestamptz NOT NULL,
    counterpart text REFERENCES trading.wallets, -- of a transfer: the other wallet
    reason      text,
    command_id  bigint NOT NULL REFERENCES trading.commands,
    statement   bytea,                        -- the file it was in
    recorded_at timestamptz NOT NULL,         -- since when the wallet's strategy sees it
    PRIMARY KEY (wallet, movement_id),
    FOREIGN KEY (wallet, statement) REFERENCES trading.statements (wallet, sha256),
    CHECK ((kind = 'transfer') = (counterpart IS NOT NULL))
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON trading.movements
FOR EACH ROW EXECUTE FUNCTION trading.refuse_change();
ALTER TABLE trading.ledger DROP CONSTRAINT ledger_kind_check;
-- 'unit_fee' moves no cash: its currency is the unit. The others' reference is a fill or a movement, or the wallet itself.
ALTER TABLE trading.ledger ADD CONSTRAINT ledger_kind_check CHECK (
    kind IN ('deposit', 'withdrawal', 'transfer', 'dividend', 'interest', 'charge', 'fill', 'fee', 'unit_fee')
);
CREATE INDEX ON trading.ledger (wallet, currency, sequence);
CREATE INDEX ON trading.ledger (wallet, occurred_at, sequence);
ALTER TABLE trading.commands DROP CONSTRAINT commands_kind_check;
ALTER TABLE trading.commands ADD CONSTRAINT commands_kind_check CHECK (
    kind IN ('halt', 'resume', 'cancel', 'flatten', 'order', 'adopt', 'ignore', 'transfer', 'statement')
);

---------------------------------------------------------------- history by session
-- Grain: one row a wallet and session: the sessions of its exchange, or days of UTC. Money is in the wallet's currency.
CREATE TABLE results.wallet_sessions (
    wallet        text NOT NULL REFERENCES trading.wallets,
    session_date  date NOT NULL,
    starts_at     timestamptz NOT NULL,       -- [starts_at, valued_at): from the last session's end
    valued_at     timestamptz NOT NULL,       -- its end; of the newest, while it goes on, when it was last valued
    opening       numeric NOT NULL,
    flows         numeric NOT NULL,           -- paid in less paid out
    realised      numeric NOT NULL,           -- profit of what was sold, fees in, at average cost in the order of time
    unrealised    numeric NOT NULL,           -- of what is held at the end, since it was bought
    income        numeric NOT NULL,           -- dividends, interest, charges
    fees          numeric NOT NULL,           -- they are in realised and unrealised
    revaluation   numeric NOT NULL,           -- what rates of exchange changed
    closing       numeric NOT NULL,           -- opening + flows + realised + change of unrealised + income + revaluation
    time_weighted double precision,           -- the return; NULL where it began with nothing
    unvalued      text[] NOT NULL,            -- currencies without a known rate, which no amount here has in it
    last_sequence integer NOT NULL,           -- lines of the ledger up to this one were taken in
    state         jsonb NOT NULL,             -- the books at the end, from which the next session goes on
    PRIMARY KEY (wallet, session_date)
);
-- Who earned it: P&L of each strategy, and of people, as if what they bought were theirs alone. They add up to the wallet's.
CREATE TABLE results.session_attribution (
    wallet       text NOT NULL REFERENCES trading.wallets,
    session_date date NOT NULL,
    listing_id   integer NOT NULL REFERENCES records.listings,
    strategy     text NOT NULL,               -- with its parameters, or person
    source       text NOT NULL CHECK (source IN ('algorithm', 'person', 'statement')),
    units        numeric NOT NULL,            -- bought less sold so far
    fills        integer NOT NULL,
    traded       numeric NOT NULL,            -- quantity times price of all fills
    fees         numeric NOT NULL,
    pnl          numeric NOT NULL,            -- of this session, fees in
    PRIMARY KEY (wallet, session_date, listing_id, strategy, source)
);
