-- depends: 0036.finite_times_of_commands

-- Which instruments a person lets a wallet buy on a day. Append-only: a later choice for the same day is a new version,
-- and the newest that was made by the time of a pass counts. Whoever writes a version names the one before it, so that
-- of two pages with the same version one is told that it is too late.
CREATE TABLE trading.asset_choices (
    wallet      text NOT NULL REFERENCES trading.wallets,
    day         date NOT NULL,                -- of UTC
    version     integer NOT NULL CHECK (version > 0),
    instruments text[] NOT NULL,              -- VENUE:SYMBOL; empty: nothing may be bought
    chosen_by   text NOT NULL,
    chosen_at   timestamptz NOT NULL,
    reason      text NOT NULL,
    request_key uuid NOT NULL,                -- of the form: sent twice, it is one version
    CHECK (version <= 1000000),
    CHECK (coalesce(array_ndims(instruments), 1) = 1 AND array_position(instruments, NULL) IS NULL),
    CHECK (chosen_at BETWEEN '2000-01-01Z' AND '2200-01-01Z'),
    PRIMARY KEY (wallet, day, version),
    UNIQUE (request_key, wallet)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON trading.asset_choices
FOR EACH ROW EXECUTE FUNCTION trading.refuse_change();
GRANT SELECT, INSERT ON trading.asset_choices TO strades_dashboard;

-- Pages ask to cancel an order and to flatten a wallet, too; both are about one wallet.
ALTER TABLE trading.commands
DROP CONSTRAINT only_halt_and_resume_are_asked_for,
ADD CONSTRAINT what_pages_ask_for CHECK (
    request_key IS NULL OR kind IN ('halt', 'resume') OR (kind IN ('cancel', 'flatten') AND scope = 'wallet')
),
-- Python reads no later year, and a row that cannot be read keeps every later command from being carried out.
ADD CONSTRAINT requested_at_can_be_read CHECK (requested_at BETWEEN '1970-01-01Z' AND '9999-01-01Z');

-- As before, and a flatten that waits halts its wallet like a halt that waits: nothing new is bought in between.
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
            c.outcome IS NULL AND c.request_key IS NOT NULL AND c.kind IN ('halt', 'flatten')
            AND (c.scope = 'all' OR c.name = CASE c.scope WHEN 'wallet' THEN w.wallet ELSE w.strategy END)
) AS states
ORDER BY
    states.wallet,
    array_position(ARRAY['active', 'reducing', 'halted', 'retiring', 'retired'], states.state) DESC;
