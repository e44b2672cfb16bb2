-- depends: 0073.lineage_marks 0071.recovery_drills 0063.live_terms 0057.shared_wallets_by_strategy 0056.return_figures 0049.order_marks

-- What people do on the pages, as events.
INSERT INTO ops.platforms VALUES ('strades', 'This installation', NULL) ON CONFLICT DO NOTHING;
INSERT INTO ops.event_types VALUES
('group_created', 'An organization was created'),
('member_invited', 'Somebody was invited to an organization'),
('member_joined', 'Somebody joined an organization'),
('member_changed', 'A member has another role'),
('member_left', 'Somebody left an organization'),
('invitation_revoked', 'An invitation to an organization was revoked'),
('note_shared', 'A note or a selection was shared with an organization'),
('friend_requested', 'Somebody asked to be a contact'),
('friend_added', 'Two people are contacts'),
('friend_removed', 'Two people are no longer contacts'),
('person_blocked', 'Somebody blocked a person'),
('person_unblocked', 'Somebody no longer blocks a person'),
('status_updated', 'Somebody changed their profile'),
('wallet_owned', 'A wallet has an owner'),
('wallet_opened_to_all', 'A wallet no longer has an owner'),
('wallet_shared', 'A wallet was shared'),
('wallet_unshared', 'A wallet is no longer shared'),
('thread_started', 'A thread of messages was started'),
('message_sent', 'A message was sent'),
('message_reported', 'A message was reported to the admins'),
('report_answered', 'An admin answered a report'),
('event_planned', 'An event was planned'),
('event_cancelled', 'An event was cancelled'),
('event_answered', 'Somebody answered an invitation to an event');

-- The person for whom a page is read, by the number of the account: each request of the dashboard sets it for its session.
CREATE FUNCTION ops.viewer() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT cast(nullif(current_setting('strades.viewer', true), '') AS bigint)
$$;

-- What has an owner: a replay, `NAME@HASH`, belongs to who owns NAME, as each later replay of the same template does.
CREATE FUNCTION trading.owned_name(wallet text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT split_part(wallet, '@', 1) $$;

-- Names of wallets that the viewer may not see: those with an owner to whom neither he, nor an organization of his, belongs and that nobody shared
-- with him. Without a viewer these are all that have an owner. A view of the dashboard's own schema says who has access.
CREATE FUNCTION trading.hidden_wallets() RETURNS text[] LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF to_regclass('dashboard.wallet_access') IS NULL THEN
        RETURN '{}'::text[];
    END IF;
    RETURN coalesce((
        SELECT array_agg(trading.owned_name(o.wallet)) FROM dashboard.wallet_owners AS o
        WHERE o.ended_at IS NULL AND NOT EXISTS (
            SELECT FROM dashboard.wallet_access AS a WHERE a.wallet = o.wallet AND a.person_id = ops.viewer()
        )
    ), '{}');
END $$;

-- Whether the viewer may ask for something to be done with a wallet: also with each one that has no owner.
CREATE FUNCTION trading.may_operate(name text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF to_regclass('dashboard.wallet_access') IS NULL THEN
        RETURN true;
    END IF;
    RETURN NOT EXISTS (
        SELECT FROM dashboard.wallet_owners AS o
        WHERE trading.owned_name(o.wallet) = trading.owned_name(name) AND o.ended_at IS NULL
    ) OR EXISTS (
        SELECT FROM dashboard.wallet_access AS a
        WHERE trading.owned_name(a.wallet) = trading.owned_name(name) AND a.person_id = ops.viewer() AND a.may_operate
    );
END $$;

-- Wallets that trade under a halt of a scope, with the rights of the tables' owner: also those that are hidden from who asks.
CREATE FUNCTION trading.wallets_in_scope(halt_scope text, halt_name text) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT w.wallet FROM trading.wallets AS w
    WHERE w.mode <> 'replay' AND w.state <> 'retired' AND (halt_scope = 'all' OR w.strategy = halt_name OR EXISTS (
        SELECT FROM trading.sleeves AS s
        WHERE s.wallet = w.wallet AND s.retired_at IS NULL AND halt_name IN (s.strategy, s.sleeve)
    ))
$$;

-- Whether the viewer may end a halt: he operates each wallet that trades again by it.
CREATE FUNCTION trading.may_resume(halt_scope text, halt_name text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT CASE halt_scope WHEN 'wallet' THEN trading.may_operate(halt_name) ELSE NOT EXISTS (
        SELECT FROM trading.wallets_in_scope(halt_scope, halt_name) AS wallet WHERE NOT trading.may_operate(wallet)
    ) END
$$;

-- Row security of one relation for the role that serves the pages; all others see what they saw. A view reads with the rights of who asks it.
-- The condition is of each row of a table, and the wallets that are hidden are read once a query. From whom none is hidden, as where no wallet has an
-- owner, no row is looked at: of 100,000 decisions the condition takes 20 ms to 60 ms (2026-11-30).
CREATE FUNCTION trading.guard(relation regclass, condition text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', relation);
    IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = relation AND polname = 'all_rows') THEN
        EXECUTE format('CREATE POLICY all_rows ON %s USING (true) WITH CHECK (true)', relation);
        EXECUTE format(
            'CREATE POLICY visible_rows ON %s AS RESTRICTIVE TO strades_dashboard USING (cardinality((SELECT trading.hidden_wallets())) = 0 OR (%s))',
            relation, condition
        );
    END IF;
END $$;

-- The same for a table with a column `wallet`, or a view; dbt calls it for its marts.
CREATE FUNCTION trading.guard_wallets(relation regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = relation) = 'v' THEN
        EXECUTE format('ALTER VIEW %s SET (security_invoker = true)', relation);
    ELSE
        PERFORM trading.guard(relation, 'trading.owned_name(wallet) <> ALL ((SELECT trading.hidden_wallets())::text[])');
    END IF;
END $$;

DO $do$
DECLARE
    guarded regclass;
    found   text[];
BEGIN
    FOR guarded IN
        SELECT c.oid FROM pg_class AS c
        WHERE c.relnamespace IN ('trading'::regnamespace, 'results'::regnamespace, 'signals'::regnamespace, 'ops'::regnamespace)
            AND (c.relkind = 'v' OR (c.relkind = 'r' AND EXISTS (
                SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'wallet' AND NOT a.attisdropped
            )))
    LOOP
        PERFORM trading.guard_wallets(guarded);
    END LOOP;
    -- Tables that name a wallet by what they belong to: a row is seen where that is seen. It is looked up by its key: of an EXISTS the planner
    -- makes a hash of the whole other table, which a page of fifty rows waits for (195 ms for 100,000 orders, 2026-11-30).
    FOREACH found SLICE 1 IN ARRAY ARRAY[
        ARRAY['trading.order_events', '(SELECT true FROM trading.intents AS i WHERE i.intent_id = order_events.intent_id)'],
        ARRAY['trading.order_attempts', '(SELECT true FROM trading.intents AS i WHERE i.intent_id = order_attempts.intent_id)'],
        ARRAY['trading.cancel_requests', '(SELECT true FROM signals.decisions AS d WHERE d.decision_id = cancel_requests.decision_id)'],
        ARRAY['signals.remade_decisions', '(SELECT true FROM signals.decisions AS d WHERE d.decision_id = remade_decisions.decision_id)'],
        ARRAY['trading.live_approvals', '(SELECT true FROM trading.live_requests AS r WHERE r.request_id = live_approvals.request_id)'],
        ARRAY['trading.live_revocations', '(SELECT true FROM trading.live_requests AS r WHERE r.request_id = live_revocations.request_id)'],
        ARRAY['trading.live_changes', '(SELECT true FROM trading.live_requests AS r WHERE r.request_id = live_changes.request_id)'],
        ARRAY['trading.commands', 'scope <> ''wallet'' OR trading.owned_name(name) <> ALL ((SELECT trading.hidden_wallets())::text[])'],
        ARRAY['trading.halts', 'scope <> ''wallet'' OR trading.owned_name(name) <> ALL ((SELECT trading.hidden_wallets())::text[])'],
        ARRAY['trading.findings', 'NOT wallets && (SELECT trading.hidden_wallets())'],
        ARRAY['trading.reconciliations', 'NOT wallets && (SELECT trading.hidden_wallets())'],
        -- The paper broker's account of a wallet has its name.
        ARRAY['trading.paper_venue_accounts', 'trading.owned_name(account) <> ALL ((SELECT trading.hidden_wallets())::text[])'],
        ARRAY['trading.paper_venue_positions', 'trading.owned_name(account) <> ALL ((SELECT trading.hidden_wallets())::text[])'],
        ARRAY['trading.paper_venue_orders', 'trading.owned_name(account) <> ALL ((SELECT trading.hidden_wallets())::text[])'],
        ARRAY['trading.paper_venue_fills', '(SELECT true FROM trading.paper_venue_orders AS o WHERE o.client_order_id = paper_venue_fills.client_order_id)'],
        -- What waits to be told has keys of any table.
        ARRAY['ops.changed_rows', 'cardinality((SELECT trading.hidden_wallets())) = 0'],
        -- A context has all wallets in one document: it is seen by who sees them all.
        ARRAY['trading.contexts', 'cardinality((SELECT trading.hidden_wallets())) = 0'],
        ARRAY['trading.input_changes', 'NOT starts_with(subject, ''wallet:'') OR trading.owned_name(substr(subject, 8)) <> ALL ((SELECT trading.hidden_wallets())::text[])']
    ] LOOP
        PERFORM trading.guard(found[1]::regclass, found[2]);
    END LOOP;
END $do$;

-- To see a wallet is not to operate it. A halt waits for nobody: who sees a wallet may halt it.
CREATE POLICY operated_wallets ON trading.commands AS RESTRICTIVE FOR INSERT TO strades_dashboard
WITH CHECK (kind = 'halt' OR trading.may_resume(scope, name));
CREATE POLICY operated_wallets ON trading.asset_choices AS RESTRICTIVE FOR INSERT TO strades_dashboard
WITH CHECK (trading.may_operate(wallet));
CREATE POLICY operated_wallets ON trading.live_requests AS RESTRICTIVE FOR INSERT TO strades_dashboard
WITH CHECK (trading.may_operate(wallet));

-- The pages add acts of people, and none of a wallet or a source.
GRANT INSERT ON ops.events TO strades_dashboard;
ALTER TABLE ops.events ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON ops.events USING (true) WITH CHECK (true);
-- An act of a person is read by whom it concerns; the event of a wallet has the wallet in the place of the person.
CREATE POLICY visible_rows ON ops.events AS RESTRICTIVE FOR SELECT TO strades_dashboard USING (
    CASE
        WHEN starts_with(user_id, 'person:') THEN value -> 'readers' @> to_jsonb((SELECT ops.viewer()))
        ELSE NOT trading.owned_name(user_id) = any((SELECT trading.hidden_wallets())::text[])
    END
);
CREATE POLICY acts_of_people ON ops.events AS RESTRICTIVE FOR INSERT TO strades_dashboard
WITH CHECK (starts_with(user_id, 'person:') AND platform_id = 'strades');
