-- depends: 0025.commands

-- What the owner of a wallet allows, as Wallets.json has it: names of market/limits.py, exact numbers as text.
ALTER TABLE trading.wallets
ADD COLUMN limits jsonb NOT NULL DEFAULT '{}';

-- The orders of the last minute, whatever the age of the wallet.
CREATE INDEX ON trading.intents (wallet, recorded_at);

-- What daily loss and drawdown count from. Brought up to date by each pass over a wallet that has such a limit.
CREATE TABLE trading.equity_marks (
    wallet      text PRIMARY KEY REFERENCES trading.wallets,
    sequence    integer NOT NULL,             -- the newest line of its ledger that is in it
    marked_at   timestamptz NOT NULL,         -- the newest bar or fill that is in it
    equity      numeric NOT NULL,
    peak        numeric NOT NULL,             -- the highest equity so far
    day         date NOT NULL,                -- of UTC
    day_equity  numeric NOT NULL              -- before the first event of the day
);
