-- depends: 0045.moved_actions 0042.asset_choices 0037.sleeves

-- Live trading takes two people. Somebody asks for a wallet, with the limits and strategies that it has then; another approves within 15 minutes, or,
-- where the installation is one person's, the same one after a minute. Times are of the database's clock. Rows are only added.
CREATE TABLE trading.live_requests (
    request_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_key  uuid NOT NULL UNIQUE,        -- of the form: the same form sent twice is one request
    wallet       text NOT NULL REFERENCES trading.wallets,
    limits       jsonb NOT NULL,              -- of the wallet, as the page showed them
    strategies   jsonb NOT NULL DEFAULT '{}', -- of a wallet of several, as the page showed them: the percent of its capital by name
    reason       text NOT NULL,
    requested_by text NOT NULL,               -- dashboard:NAME
    requested_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL DEFAULT now() + interval '15 minutes',
    CONSTRAINT live_reason_is_short CHECK (length(reason) BETWEEN 1 AND 300),
    CONSTRAINT live_requester_is_short CHECK (length(requested_by) <= 100),
    CONSTRAINT live_request_lasts_15_minutes CHECK (expires_at = requested_at + interval '15 minutes'),
    UNIQUE (request_id, requested_by)
);
CREATE INDEX ON trading.live_requests (wallet, request_id);

CREATE TABLE trading.live_approvals (
    request_id    bigint PRIMARY KEY,
    requested_by  text NOT NULL,              -- of the request, so that the two names are compared here
    approved_by   text NOT NULL CHECK (length(approved_by) <= 100),
    is_one_person boolean NOT NULL DEFAULT false, -- counts only where STRADES_LIVE_ONE_PERSON is set for whoever trades
    approved_at   timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (request_id, requested_by) REFERENCES trading.live_requests (request_id, requested_by),
    CONSTRAINT another_person_approves CHECK (is_one_person OR approved_by <> requested_by)
);

-- That a request or approval counts no more. One person is enough for that.
CREATE TABLE trading.live_revocations (
    request_id bigint PRIMARY KEY REFERENCES trading.live_requests,
    revoked_by text NOT NULL CHECK (length(revoked_by) <= 100),
    revoked_at timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION trading.check_live_approval() RETURNS trigger LANGUAGE plpgsql AS $$
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
    RETURN new;
END $$;
CREATE TRIGGER in_time BEFORE INSERT ON trading.live_approvals
FOR EACH ROW EXECUTE FUNCTION trading.check_live_approval();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON trading.live_requests
FOR EACH ROW EXECUTE FUNCTION trading.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON trading.live_approvals
FOR EACH ROW EXECUTE FUNCTION trading.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON trading.live_revocations
FOR EACH ROW EXECUTE FUNCTION trading.refuse_change();

-- The strategies of a wallet of several that trade, with their percent of its capital, as text: 60 and 60.0 are the same.
CREATE FUNCTION trading.strategies_of(wallet text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce(jsonb_object_agg(s.sleeve, trim_scale(s.capital_percent)::text), '{}')
    FROM trading.sleeves AS s WHERE s.wallet = strategies_of.wallet AND s.retired_at IS NULL
$$;

-- Live wallets that may not send freely, and why: the newest approval counts, with the limits and strategies that it was given for.
-- Where only these have changed the wallet is reducing: its exits go on, protective stops among them. The setting is that of
-- the session that asks (database/connection.py): whoever trades goes by his own environment, not by what a page says.
CREATE VIEW trading.live_refusals AS
SELECT
    w.wallet,
    CASE
        WHEN newest.request_id IS NULL OR newest.is_revoked
            THEN 'live needs an approval: ask for it on the page Live of the dashboard'
        WHEN newest.lacks_a_person
            THEN 'one person approved live: another has to, or STRADES_LIVE_ONE_PERSON=true'
        WHEN newest.limits <> w.limits
            THEN 'its limits have changed since live was approved: ask again on the page Live of the dashboard'
        ELSE 'its strategies have changed since live was approved: ask again on the page Live of the dashboard'
    END AS reason,
    CASE WHEN newest.request_id IS NULL OR newest.is_revoked OR newest.lacks_a_person THEN 'halted' ELSE 'reducing' END AS state
FROM trading.wallets AS w
LEFT JOIN LATERAL (
    SELECT
        r.request_id,
        r.limits,
        r.strategies,
        a.is_one_person AND coalesce(current_setting('strades.live_one_person', true), '') <> 'on' AS lacks_a_person,
        v.request_id IS NOT NULL AS is_revoked
    FROM trading.live_requests AS r
    INNER JOIN trading.live_approvals AS a ON r.request_id = a.request_id
    LEFT JOIN trading.live_revocations AS v ON r.request_id = v.request_id
    WHERE r.wallet = w.wallet
    ORDER BY a.approved_at DESC, r.request_id DESC
    LIMIT 1
) AS newest ON true
WHERE
    w.mode = 'live'
    AND (
        newest.request_id IS NULL
        OR newest.is_revoked
        OR newest.lacks_a_person
        OR newest.limits <> w.limits
        OR newest.strategies <> trading.strategies_of(w.wallet)
    );

-- As before, and a live wallet without an approval is halted: cancels, look-ups and exits by hand go on. One whose limits or strategies
-- have changed since is reducing: halted, it would cancel for good each emulated stop that the market touches.
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
    UNION ALL
    SELECT
        l.wallet,
        l.state,
        l.reason
    FROM trading.live_refusals AS l
) AS states
ORDER BY
    states.wallet,
    array_position(ARRAY['active', 'reducing', 'halted', 'retiring', 'retired'], states.state) DESC;

GRANT SELECT ON trading.live_requests, trading.live_approvals, trading.live_revocations, trading.live_refusals TO strades_dashboard;
GRANT INSERT (request_key, wallet, limits, strategies, reason, requested_by) ON trading.live_requests TO strades_dashboard;
GRANT INSERT (request_id, requested_by, approved_by, is_one_person) ON trading.live_approvals TO strades_dashboard;
GRANT INSERT (request_id, revoked_by) ON trading.live_revocations TO strades_dashboard;
