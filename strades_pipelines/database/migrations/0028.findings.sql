-- depends: 0025.commands

-- Where what a venue says of an account and what our books say of it differ. A row is never changed but for its state, never deleted.
CREATE TABLE trading.findings (
    finding_id  text PRIMARY KEY,             -- base32(sha256(account, code, what it is about))[:8]: short enough to type
    account     text NOT NULL,                -- at which venue, and whose: alpaca/paper, paper/<wallet>
    wallets     text[] NOT NULL,              -- whose books are in doubt: they are halted
    code        text NOT NULL,                -- what kind of difference: brokerage/findings.py
    reference   text NOT NULL,                -- the venue's id of the fill or order, or the symbol, or the currency
    symbol      text,
    listing_id  integer REFERENCES records.listings, -- NULL: none of the wallets trades it
    quantity    numeric,                      -- signed units that the venue has beyond our books
    price       numeric,
    amount      numeric,                      -- signed cash that the venue has beyond our books
    occurred_at timestamptz NOT NULL,         -- by the venue's clock, where it says one
    detail      text NOT NULL,                -- in one line: what is where, and what was expected
    evidence    jsonb NOT NULL,               -- what the venue says of the fill or order
    found_at    timestamptz NOT NULL,
    state       text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'gone', 'adopted', 'ignored')),
    settled_at  timestamptz,                  -- when it ceased to be open
    command_id  bigint REFERENCES trading.commands, -- that adopted or ignored it
    CHECK ((state = 'open') = (settled_at IS NULL)),
    CHECK ((state IN ('adopted', 'ignored')) = (command_id IS NOT NULL))
);
CREATE INDEX ON trading.findings (account, occurred_at);
CREATE INDEX ON trading.findings (account) WHERE state IN ('open', 'ignored');
CREATE FUNCTION trading.refuse_change_of_finding() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF tg_op = 'UPDATE'
        AND (old.state = 'open' OR (old.state = 'gone' AND new.state = 'open'))
        AND to_jsonb(new) - ARRAY['state', 'settled_at', 'command_id'] = to_jsonb(old) - ARRAY['state', 'settled_at', 'command_id']
    THEN
        RETURN new;
    END IF;
    RAISE EXCEPTION 'trading.findings is append-only but for the state of what is open' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON trading.findings
FOR EACH ROW EXECUTE FUNCTION trading.refuse_change_of_finding();

-- Up to when an account was compared with its venue: the next reconciliation asks for what came since.
CREATE TABLE trading.reconciliations (
    account       text PRIMARY KEY,
    wallets       text[] NOT NULL,            -- that were compared with it
    reconciled_at timestamptz NOT NULL,
    external_cash jsonb NOT NULL,             -- by currency: what the account holds beyond its wallets, who do not count on it
    fills         integer NOT NULL,           -- of the venue, that were compared the last time
    findings      integer NOT NULL            -- that stood then
);

-- A fill is led back to its order by the venue's id of that.
CREATE INDEX ON trading.orders (venue_order_id);
CREATE INDEX ON trading.fills (intent_id);
CREATE INDEX ON trading.paper_venue_fills (filled_at);
