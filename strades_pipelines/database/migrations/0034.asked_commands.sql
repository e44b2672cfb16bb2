-- depends: 0032.dashboard

-- A halt or resume that a page asked for is a row with the key of its form; whoever takes it up writes the outcome. The
-- same form sent twice is one command. Commands of the terminal have no key: they carry themselves out.
ALTER TABLE trading.commands
ADD COLUMN request_key uuid UNIQUE;
ALTER TABLE trading.commands
ADD CONSTRAINT only_halt_and_resume_are_asked_for CHECK (request_key IS NULL OR kind IN ('halt', 'resume'));
CREATE INDEX ON trading.commands (command_id) WHERE outcome IS NULL AND request_key IS NOT NULL;
GRANT INSERT (request_key) ON trading.commands TO strades_dashboard;

-- As before, and a halt that waits to be carried out counts from its commit on: nothing is sent in between.
CREATE OR REPLACE VIEW trading.wallet_states AS
SELECT DISTINCT ON (states.wallet)
    states.wallet,
    states.state,
    states.reason
FROM (
    SELECT
        w.wallet,
        w.state,
        w.state_reason AS reason
    FROM trading.wallets AS w
    UNION ALL
    SELECT
        w.wallet,
        h.state,
        concat_ws(': ', CASE h.scope WHEN 'all' THEN 'all wallets' ELSE 'strategy ' || h.name END, h.reason) AS reason
    FROM trading.wallets AS w
    INNER JOIN trading.halts AS h ON h.scope = 'all' OR (h.scope = 'strategy' AND w.strategy = h.name)
    UNION ALL
    SELECT
        w.wallet,
        'halted' AS state,
        concat_ws(
            ': ', CASE c.scope WHEN 'all' THEN 'all wallets' WHEN 'strategy' THEN 'strategy ' || c.name END, c.reason
        ) AS reason
    FROM trading.wallets AS w
    INNER JOIN trading.commands AS c
        ON
            c.outcome IS NULL AND c.request_key IS NOT NULL AND c.kind = 'halt'
            AND (c.scope = 'all' OR c.name = CASE c.scope WHEN 'wallet' THEN w.wallet ELSE w.strategy END)
) AS states
ORDER BY
    states.wallet,
    array_position(ARRAY['active', 'reducing', 'halted', 'retiring', 'retired'], states.state) DESC;

-- The orders of a wallet are paged through from the newest on.
CREATE INDEX ON trading.intents (wallet, intended_at, intent_id);
