-- depends: 0024.order_events

-- Commands of people to the trading side: who, when, why, and the outcome.
CREATE TABLE trading.commands (
    command_id   bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    kind         text NOT NULL CHECK (kind IN ('halt', 'resume', 'cancel', 'flatten', 'order', 'adopt', 'ignore')),
    scope        text NOT NULL CHECK (scope IN ('all', 'strategy', 'wallet')),
    name         text NOT NULL,               -- of the wallet or strategy; '' for all
    requested_by text NOT NULL,               -- the user of the operating system
    requested_at timestamptz NOT NULL,
    reason       text,
    arguments    jsonb NOT NULL,
    outcome      text,                        -- NULL: it has not ended, or its process was killed
    finished_at  timestamptz,
    CHECK ((scope = 'all') = (name = '')),
    CHECK ((outcome IS NULL) = (finished_at IS NULL))
);
CREATE INDEX ON trading.commands (requested_at);
-- Append-only, but for the outcome, which is written once.
CREATE FUNCTION trading.refuse_change_of_command() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF tg_op = 'UPDATE' AND old.finished_at IS NULL AND new.finished_at IS NOT NULL
        AND to_jsonb(new) - ARRAY['outcome', 'finished_at'] = to_jsonb(old) - ARRAY['outcome', 'finished_at']
    THEN
        RETURN new;
    END IF;
    RAISE EXCEPTION 'trading.commands is append-only' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON trading.commands
FOR EACH ROW EXECUTE FUNCTION trading.refuse_change_of_command();

-- Halts of a strategy in all of its wallets, and of all wallets. That of one wallet is its own state.
CREATE TABLE trading.halts (
    scope      text NOT NULL CHECK (scope IN ('all', 'strategy')),
    name       text NOT NULL,                 -- of the strategy; '' for all
    state      text NOT NULL CHECK (state IN ('reducing', 'halted')),
    reason     text,
    since      timestamptz NOT NULL,
    command_id bigint NOT NULL REFERENCES trading.commands,
    PRIMARY KEY (scope, name),
    CHECK ((scope = 'all') = (name = ''))
);
-- The state that counts for each wallet: the strictest of its own and of the halts that it falls under.
CREATE VIEW trading.wallet_states AS
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
) AS states
ORDER BY
    states.wallet,
    array_position(ARRAY['active', 'reducing', 'halted', 'retiring', 'retired'], states.state) DESC;

-- Up to which line a wallet's ledger was verified; the next verification begins there.
CREATE TABLE trading.ledger_marks (
    wallet      text PRIMARY KEY REFERENCES trading.wallets,
    sequence    integer NOT NULL,
    hash        text NOT NULL,
    verified_at timestamptz NOT NULL
);
