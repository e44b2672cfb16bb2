-- depends: 0059.live_requests

-- An approval of live trading is one of a configuration: limits, strategies and, from here on, the code behind them. It counts as long as none
-- of these has changed since, also where the change was undone, and begins a minute after it was given, so that it can still be cancelled.

-- Of before: '', which is the hash of no code, so that a live wallet of before is reducing until it is approved again.
ALTER TABLE trading.live_requests
ADD COLUMN code_hash text NOT NULL DEFAULT '';
ALTER TABLE trading.live_requests ALTER COLUMN code_hash DROP DEFAULT;

-- What ends an approval beside the risk limits of Wallets.json: its other keys that keep orders from being sent, or take them back.
ALTER TABLE trading.wallets
ADD COLUMN dead_man_seconds numeric;
CREATE FUNCTION trading.live_terms(w trading.wallets) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT w.limits || jsonb_strip_nulls(jsonb_build_object(
        'max_decision_age_minutes', trim_scale(extract(epoch FROM w.max_decision_age) / 60),
        'dead_man_seconds', trim_scale(w.dead_man_seconds)
    ))
$$;

-- What a wallet was when Wallets.json listed it no longer: it is that again where the file lists it again.
ALTER TABLE trading.wallets
ADD COLUMN state_before text,
ADD COLUMN reason_before text;

-- The approval that an order was planned under: one that is no exit is not sent under a later one.
ALTER TABLE trading.intents
ADD COLUMN live_request_id bigint;
CREATE FUNCTION trading.newest_live_approval(wallet text) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT r.request_id
    FROM trading.live_requests AS r INNER JOIN trading.live_approvals AS a ON r.request_id = a.request_id
    WHERE r.wallet = newest_live_approval.wallet
    ORDER BY a.approved_at DESC, r.request_id DESC LIMIT 1
$$;
CREATE FUNCTION trading.note_live_approval() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    new.live_request_id := trading.newest_live_approval(new.wallet);
    RETURN new;
END $$;
CREATE TRIGGER under_approval BEFORE INSERT ON trading.intents
FOR EACH ROW EXECUTE FUNCTION trading.note_live_approval();

-- Which requests, and so approvals, a change of their wallet has ended, and what changed first. Rows are only added.
CREATE TABLE trading.live_changes (
    request_id bigint PRIMARY KEY REFERENCES trading.live_requests,
    what       text NOT NULL CHECK (what IN ('limits', 'strategies', 'code')),
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON trading.live_changes
FOR EACH ROW EXECUTE FUNCTION trading.refuse_change();

-- All requests of the wallet: whatever they name, the wallet was something else before or after this change.
CREATE FUNCTION trading.note_live_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO trading.live_changes (request_id, what)
    SELECT r.request_id, tg_argv[0] FROM trading.live_requests AS r WHERE r.wallet = new.wallet
    ON CONFLICT (request_id) DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER limits_changed AFTER UPDATE ON trading.wallets
FOR EACH ROW WHEN (trading.live_terms(old) IS DISTINCT FROM trading.live_terms(new)) EXECUTE FUNCTION trading.note_live_change('limits');
CREATE TRIGGER code_changed AFTER UPDATE ON trading.wallets
FOR EACH ROW WHEN (old.code_hash IS DISTINCT FROM new.code_hash) EXECUTE FUNCTION trading.note_live_change('code');
CREATE TRIGGER strategy_added AFTER INSERT ON trading.sleeves
FOR EACH ROW EXECUTE FUNCTION trading.note_live_change('strategies');
CREATE TRIGGER strategy_changed AFTER UPDATE ON trading.sleeves
FOR EACH ROW WHEN (
    old.capital_percent IS DISTINCT FROM new.capital_percent OR (old.retired_at IS NULL) <> (new.retired_at IS NULL)
) EXECUTE FUNCTION trading.note_live_change('strategies');

CREATE OR REPLACE FUNCTION trading.check_live_approval() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    asked trading.live_requests;
BEGIN
    SELECT * INTO asked FROM trading.live_requests WHERE request_id = new.request_id;
    IF clock_timestamp() > asked.expires_at THEN
        RAISE EXCEPTION 'the request has expired: ask again' USING ERRCODE = 'check_violation';
    END IF;
    IF new.is_one_person AND clock_timestamp() < asked.requested_at + interval '60 seconds' THEN
        RAISE EXCEPTION 'one person alone waits for 60 s' USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT FROM trading.live_revocations WHERE request_id = new.request_id) THEN
        RAISE EXCEPTION 'the request was taken back' USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT FROM trading.live_changes WHERE request_id = new.request_id) THEN
        RAISE EXCEPTION 'the wallet has changed since it was asked for: ask again' USING ERRCODE = 'check_violation';
    END IF;
    RETURN new;
END $$;

-- Each approval with what ended it; whether one person is enough is the setting of the session that asks (0059).
CREATE VIEW trading.live_approval_states AS
SELECT
    r.wallet,
    r.request_id,
    r.limits,
    r.strategies,
    r.code_hash,
    a.approved_at,
    c.what AS changed,
    v.request_id IS NOT NULL AS is_revoked,
    a.is_one_person AND coalesce(current_setting('strades.live_one_person', true), '') <> 'on' AS lacks_a_person
FROM trading.live_requests AS r
INNER JOIN trading.live_approvals AS a ON r.request_id = a.request_id
LEFT JOIN trading.live_revocations AS v ON r.request_id = v.request_id
LEFT JOIN trading.live_changes AS c ON r.request_id = c.request_id;

-- As before (0059), and a change counts though it was undone; code counts; and an approval begins after a minute. What is compared beside the
-- rows of live_changes is a change that was not committed when somebody asked, which could not see the request.
CREATE OR REPLACE VIEW trading.live_refusals AS
SELECT
    w.wallet,
    CASE
        WHEN newest.request_id IS NULL OR newest.is_revoked
            THEN 'live needs an approval: ask for it on the page Live of the dashboard'
        WHEN newest.lacks_a_person
            THEN 'one person approved live: another has to, or STRADES_LIVE_ONE_PERSON=true'
        WHEN newest.changed = 'limits' OR newest.limits <> trading.live_terms(w)
            THEN 'its limits have changed since live was approved: ask again on the page Live of the dashboard'
        WHEN newest.changed = 'strategies' OR newest.strategies <> trading.strategies_of(w.wallet)
            THEN 'its strategies have changed since live was approved: ask again on the page Live of the dashboard'
        WHEN newest.changed = 'code' OR newest.code_hash <> w.code_hash
            THEN 'its code has changed since live was approved: ask again on the page Live of the dashboard'
        ELSE 'live was approved less than a minute ago: wait, or cancel it on the page Live of the dashboard'
    END AS reason,
    CASE
        WHEN newest.request_id IS NULL OR newest.is_revoked OR newest.lacks_a_person THEN 'halted'
        -- A wallet that had another approval may hold something: its exits and stops go on.
        WHEN newest.approved_at > now() - interval '60 seconds' AND NOT newest.follows_another THEN 'halted'
        ELSE 'reducing'
    END AS state
FROM trading.wallets AS w
LEFT JOIN LATERAL (
    SELECT
        a.request_id,
        a.limits,
        a.strategies,
        a.code_hash,
        a.approved_at,
        a.changed,
        a.is_revoked,
        a.lacks_a_person,
        0 < (
            SELECT count(*) FROM trading.live_approval_states AS b
            WHERE b.wallet = a.wallet AND b.request_id <> a.request_id AND NOT b.is_revoked AND NOT b.lacks_a_person
        ) AS follows_another
    FROM trading.live_approval_states AS a
    WHERE a.wallet = w.wallet
    ORDER BY a.approved_at DESC, a.request_id DESC
    LIMIT 1
) AS newest ON true
WHERE
    w.mode = 'live'
    AND (
        newest.request_id IS NULL
        OR newest.is_revoked
        OR newest.lacks_a_person
        OR newest.changed IS NOT NULL
        OR newest.limits <> trading.live_terms(w)
        OR newest.strategies <> trading.strategies_of(w.wallet)
        OR newest.code_hash <> w.code_hash
        OR newest.approved_at > now() - interval '60 seconds'
    );

GRANT SELECT ON trading.live_changes, trading.live_approval_states TO strades_dashboard;
GRANT INSERT (code_hash) ON trading.live_requests TO strades_dashboard;
