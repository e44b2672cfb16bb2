-- depends: 0036.finite_times_of_commands

-- The strategies that share a wallet, each in a sleeve of its own: what its own fills made is its position. A wallet of one
-- strategy has none. What a sleeve decides has its name in signals.decisions.strategy.
CREATE TABLE trading.sleeves (
    wallet          text NOT NULL REFERENCES trading.wallets,
    sleeve          text NOT NULL CHECK (sleeve NOT IN ('person', 'external', 'unattributed')),
    strategy        text NOT NULL,
    parameters      jsonb NOT NULL,
    instruments     text[] NOT NULL,          -- VENUE:SYMBOL, of those of the wallet
    capital_percent numeric NOT NULL CHECK (capital_percent > 0 AND capital_percent <= 100), -- of the wallet's cash and of what is paid in
    code_hash       text NOT NULL,
    opened_at       timestamptz NOT NULL,     -- decisions known earlier are never executed
    retired_at      timestamptz,              -- since when Wallets.json no longer lists it
    PRIMARY KEY (wallet, sleeve)
);

-- What each sleeve's fills left behind, and those of nobody's sleeve ('unattributed': orders by hand, statements, what was adopted).
-- The rows of a listing add up to trading.positions, exactly. Of wallets with sleeves alone.
CREATE TABLE trading.owner_positions (
    wallet        text NOT NULL REFERENCES trading.wallets,
    owner         text NOT NULL,
    listing_id    integer NOT NULL REFERENCES records.listings,
    quantity      numeric NOT NULL,           -- negative where one owner sold what another bought
    average_price numeric NOT NULL,
    cost          numeric NOT NULL,           -- of all that is held, fees in, at the owner's average
    realised      numeric NOT NULL,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (wallet, owner, listing_id)
);

-- A sleeve goes by the strictest of: its wallet's state, halts of its strategy or of its name, and that it is no longer listed.
CREATE VIEW trading.sleeve_states AS
SELECT DISTINCT ON (states.wallet, states.sleeve)
    states.wallet,
    states.sleeve,
    states.state,
    states.reason
FROM (
    SELECT
        s.wallet,
        s.sleeve,
        w.state,
        w.reason
    FROM trading.sleeves AS s
    INNER JOIN trading.wallet_states AS w ON s.wallet = w.wallet
    UNION ALL
    SELECT
        s.wallet,
        s.sleeve,
        'retired' AS state,
        'Wallets.json no longer lists it' AS reason
    FROM trading.sleeves AS s
    WHERE s.retired_at IS NOT NULL
    UNION ALL
    SELECT
        s.wallet,
        s.sleeve,
        h.state,
        concat_ws(': ', 'strategy ' || h.name, h.reason) AS reason
    FROM trading.sleeves AS s
    INNER JOIN trading.halts AS h ON h.scope = 'strategy' AND h.name IN (s.strategy, s.sleeve)
    UNION ALL
    SELECT
        s.wallet,
        s.sleeve,
        'halted' AS state,
        concat_ws(': ', 'strategy ' || c.name, c.reason) AS reason
    FROM trading.sleeves AS s
    INNER JOIN trading.commands AS c
        ON
            c.outcome IS NULL AND c.request_key IS NOT NULL AND c.kind = 'halt'
            AND c.scope = 'strategy' AND c.name IN (s.strategy, s.sleeve)
) AS states
ORDER BY
    states.wallet,
    states.sleeve,
    array_position(ARRAY['active', 'reducing', 'halted', 'retiring', 'retired'], states.state) DESC;

-- Each sleeve goes on from checkpoints of its own: decide:<sleeve>.
ALTER TABLE trading.wallet_checkpoints DROP CONSTRAINT wallet_checkpoints_purpose_check;
ALTER TABLE trading.wallet_checkpoints
ADD CONSTRAINT wallet_checkpoints_purpose_check CHECK (purpose ~ '^(decide|measure)(:.+)?$');

-- What each strategy made in a session, orders by hand for it too. The strategies of a session add up to its wallet.
CREATE VIEW results.strategy_sessions AS
SELECT
    a.wallet,
    a.session_date,
    a.strategy,
    sum(a.fills) AS fills,
    sum(a.traded) AS traded,
    sum(a.fees) AS fees,
    sum(a.pnl) AS pnl,
    (sum(a.pnl) / nullif(s.opening + s.flows, 0))::double precision AS contribution -- to the wallet's return
FROM results.session_attribution AS a
INNER JOIN results.wallet_sessions AS s ON a.wallet = s.wallet AND a.session_date = s.session_date
GROUP BY a.wallet, a.session_date, a.strategy, s.opening, s.flows;

-- A split that explains by itself why fills of a day differ from the replay over bars in the shares of now.
ALTER TABLE results.parity_differences DROP CONSTRAINT parity_differences_cause_check;
ALTER TABLE results.parity_differences
ADD CONSTRAINT parity_differences_cause_check CHECK (
    cause IN ('data', 'late_correction', 'latency', 'fill_model', 'fee', 'split', 'code', 'bug')
);
