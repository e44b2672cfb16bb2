-- depends: 0018.stale_by_splits 0020.features_by_session

-- The allowed transitions between states of an order (the same as market/order_states.py, which has the reasons).
CREATE TABLE trading.order_transitions (
    before text,                              -- NULL: no state yet, before the first event
    after  text NOT NULL,
    UNIQUE NULLS NOT DISTINCT (before, after)
);
INSERT INTO trading.order_transitions (before, after) VALUES
(NULL, 'planned'),
('planned', 'submitting'), ('planned', 'rejected'), ('planned', 'cancelled'), ('planned', 'expired'),
('submitting', 'accepted'), ('submitting', 'partially_filled'), ('submitting', 'filled'),
('submitting', 'cancelled'), ('submitting', 'replaced'), ('submitting', 'rejected'), ('submitting', 'expired'),
('submitting', 'unknown'), ('submitting', 'planned'),
('unknown', 'accepted'), ('unknown', 'partially_filled'), ('unknown', 'filled'),
('unknown', 'cancelled'), ('unknown', 'replaced'), ('unknown', 'rejected'), ('unknown', 'expired'),
('unknown', 'unknown'), ('unknown', 'submitting'), ('unknown', 'cancelling'),
('accepted', 'partially_filled'), ('accepted', 'filled'), ('accepted', 'cancelling'), ('accepted', 'cancelled'),
('accepted', 'replaced'), ('accepted', 'rejected'), ('accepted', 'expired'), ('accepted', 'unknown'),
('partially_filled', 'partially_filled'), ('partially_filled', 'filled'), ('partially_filled', 'cancelling'),
('partially_filled', 'cancelled'), ('partially_filled', 'replaced'), ('partially_filled', 'expired'),
('partially_filled', 'unknown'),
('cancelling', 'accepted'), ('cancelling', 'partially_filled'), ('cancelling', 'filled'),
('cancelling', 'cancelled'), ('cancelling', 'replaced'), ('cancelling', 'rejected'), ('cancelling', 'expired'),
('cancelling', 'cancelling'), ('cancelling', 'unknown'),
('cancelled', 'cancelled'), ('cancelled', 'filled'),
('replaced', 'replaced'), ('replaced', 'filled'),
('expired', 'expired'), ('expired', 'filled');

-- The terms of an order are columns of its intent; prices are in the listing's currency.
ALTER TABLE trading.intents DROP CONSTRAINT intents_order_type_check;
ALTER TABLE trading.intents
ADD COLUMN broker text,                       -- the broker that it is sent to
ADD COLUMN limit_price numeric CHECK (limit_price > 0),
ADD COLUMN stop_price numeric CHECK (stop_price > 0),
ADD COLUMN trail numeric CHECK (trail > 0),   -- distance of the stop from the best price since the order
ADD COLUMN time_in_force text NOT NULL DEFAULT 'gtc' CHECK (time_in_force IN ('gtc', 'day', 'ioc', 'fok')),
ADD COLUMN auction text CHECK (auction IN ('open', 'close')),
ADD COLUMN reduce_only boolean NOT NULL DEFAULT false,
ADD COLUMN order_group text,                  -- a fill of one order cancels the others of its group (OCO)
ADD COLUMN parent_id text REFERENCES trading.intents, -- the order that must be filled first
ADD COLUMN send_before timestamptz,           -- not sent after this instant
ADD CONSTRAINT intents_order_type_check CHECK (
    order_type = CASE
        WHEN trail IS NOT NULL THEN 'trailing_stop'
        WHEN stop_price IS NOT NULL AND limit_price IS NOT NULL THEN 'stop_limit'
        WHEN stop_price IS NOT NULL THEN 'stop'
        WHEN limit_price IS NOT NULL THEN 'limit'
        ELSE 'market'
    END
);
UPDATE trading.intents AS intent
SET broker = coalesce(
    (
        SELECT known.broker FROM trading.orders AS known
        WHERE known.intent_id = intent.intent_id
    ),
    (
        SELECT wallet.mode FROM trading.wallets AS wallet
        WHERE wallet.wallet = intent.wallet
    )
);
ALTER TABLE trading.intents ALTER COLUMN broker SET NOT NULL;
CREATE INDEX ON trading.intents (wallet, listing_id, intended_at);

-- The event log of orders, from us and from venues. trading.orders is derived from it.
CREATE TABLE trading.order_events (
    intent_id      text NOT NULL REFERENCES trading.intents,
    sequence       integer NOT NULL,
    state          text NOT NULL,
    filled         numeric NOT NULL,          -- units so far
    venue_order_id text,
    venue_time     timestamptz,               -- by the venue's clock, if the venue states it
    reason         text,
    message        bytea,                     -- the venue's message, unchanged
    recorded_at    timestamptz NOT NULL,
    PRIMARY KEY (intent_id, sequence)
);

CREATE TEMPORARY TABLE orders_before ON COMMIT DROP AS TABLE trading.orders;
DELETE FROM trading.orders;
ALTER TABLE trading.orders DROP CONSTRAINT orders_state_check;
ALTER TABLE trading.orders ALTER COLUMN submitted_at DROP NOT NULL;
ALTER TABLE trading.orders
ADD COLUMN sequence integer NOT NULL,
ADD COLUMN filled numeric NOT NULL;
-- Partial index: few of all orders are working.
CREATE INDEX ON trading.orders (wallet) WHERE state NOT IN ('filled', 'cancelled', 'replaced', 'rejected', 'expired');

-- Refuse an event whose transition is not allowed; otherwise its state becomes the current state of the order.
CREATE FUNCTION trading.apply_order_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    known trading.orders;
    intent trading.intents;
BEGIN
    SELECT * INTO STRICT intent FROM trading.intents WHERE intent_id = new.intent_id;
    SELECT * INTO known FROM trading.orders WHERE intent_id = new.intent_id FOR UPDATE;
    new.sequence := coalesce(new.sequence, known.sequence + 1, 0);
    new.filled := coalesce(new.filled, known.filled, 0);
    IF new.sequence <> coalesce(known.sequence + 1, 0) THEN
        RAISE EXCEPTION 'order %: expected the event %, was %', new.intent_id, coalesce(known.sequence + 1, 0), new.sequence
            USING ERRCODE = 'check_violation';
    END IF;
    IF NOT EXISTS (
        SELECT FROM trading.order_transitions AS allowed
        WHERE allowed.before IS NOT DISTINCT FROM known.state AND allowed.after = new.state
    ) THEN
        RAISE EXCEPTION 'order %: % may not become %', new.intent_id, coalesce(known.state, 'nothing'), new.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF NOT (new.filled BETWEEN coalesce(known.filled, 0) AND intent.quantity)
        OR (new.state = 'filled' AND new.filled <> intent.quantity)
        OR (new.state = 'partially_filled' AND (new.filled = 0 OR new.filled = intent.quantity))
        OR (new.state IN ('planned', 'rejected') AND new.filled <> 0)
        OR (known.state IN ('cancelled', 'replaced', 'expired') AND new.filled = known.filled)
    THEN
        RAISE EXCEPTION 'order %: it cannot be % with % of % filled after %', new.intent_id, new.state, new.filled,
            intent.quantity, coalesce(known.filled, 0) USING ERRCODE = 'check_violation';
    END IF;
    IF known.intent_id IS NULL THEN
        INSERT INTO trading.orders (intent_id, wallet, broker, venue_order_id, state, reason, updated_at, sequence, filled)
        VALUES (intent.intent_id, intent.wallet, intent.broker, new.venue_order_id, new.state, new.reason,
            new.recorded_at, new.sequence, new.filled);
    ELSE
        UPDATE trading.orders AS stored
        SET venue_order_id = coalesce(new.venue_order_id, stored.venue_order_id),
            state = new.state,
            reason = new.reason,
            submitted_at = CASE WHEN new.state = 'submitting'
                THEN coalesce(stored.submitted_at, new.recorded_at) ELSE stored.submitted_at END,
            updated_at = new.recorded_at,
            sequence = new.sequence,
            filled = new.filled
        WHERE stored.intent_id = new.intent_id;
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER apply_order_event BEFORE INSERT ON trading.order_events
FOR EACH ROW EXECUTE FUNCTION trading.apply_order_event();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON trading.order_events
FOR EACH ROW EXECUTE FUNCTION trading.refuse_change();

INSERT INTO trading.order_events (intent_id, state, recorded_at)
SELECT
    intent_id,
    'planned' AS state,
    recorded_at
FROM trading.intents;
INSERT INTO trading.order_events (intent_id, state, recorded_at)
SELECT
    intent_id,
    'submitting' AS state,
    submitted_at
FROM orders_before
WHERE venue_order_id IS NOT NULL OR state NOT IN ('cancelled', 'expired') OR broker = 'replay';
INSERT INTO trading.order_events (intent_id, state, filled, venue_order_id, reason, recorded_at)
SELECT
    known.intent_id,
    -- Before, an order that closed a position was set to filled even with a quantity left; now that is cancelled.
    CASE
        WHEN known.state = 'open' THEN 'accepted'
        WHEN known.state = 'filled' AND done.quantity < intent.quantity THEN 'cancelled'
        ELSE known.state
    END AS state,
    CASE WHEN known.state = 'rejected' THEN 0 ELSE least(done.quantity, intent.quantity) END AS filled,
    known.venue_order_id,
    known.reason,
    known.updated_at
FROM orders_before AS known
INNER JOIN trading.intents AS intent USING (intent_id)
CROSS JOIN
    LATERAL (
        SELECT coalesce(sum(fill.quantity), 0) AS quantity FROM trading.fills AS fill
        WHERE fill.intent_id = known.intent_id
    ) AS done
WHERE known.state <> 'submitting';

-- From here on orders are changed only by inserting events.
CREATE FUNCTION trading.refuse_direct_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION 'trading.orders is made of trading.order_events; insert an event' USING ERRCODE = 'check_violation';
    END IF;
    RETURN coalesce(new, old);
END $$;
CREATE TRIGGER only_by_events BEFORE INSERT OR UPDATE OR DELETE ON trading.orders
FOR EACH ROW EXECUTE FUNCTION trading.refuse_direct_change();

-- When to ask the venue of a working order for its state again.
CREATE TABLE trading.order_attempts (
    intent_id       text PRIMARY KEY REFERENCES trading.intents,
    attempts        integer NOT NULL CHECK (attempts > 0), -- consecutive attempts without a conclusive answer
    attempted_at    timestamptz NOT NULL,
    next_attempt_at timestamptz NOT NULL
);

-- One decision for a listing, an instant and an ordinal, whatever the event that triggered it.
WITH numbered AS (
    SELECT
        decision_id,
        row_number() OVER (
            PARTITION BY wallet, strategy, listing_id, decided_at
            ORDER BY array_position(ARRAY['bar', 'prediction', 'fill', 'timer'], trigger_kind), trigger_id, recorded_at
        ) - 1 AS ordinal
    FROM signals.decisions
)

UPDATE signals.decisions AS decision SET ordinal = numbered.ordinal
FROM numbered
WHERE numbered.decision_id = decision.decision_id AND numbered.ordinal <> decision.ordinal;
ALTER TABLE signals.decisions ADD CONSTRAINT one_decision_an_instant
UNIQUE (wallet, strategy, listing_id, decided_at, ordinal);
-- The terms of an explicit order of the strategy; NULL if the decision is a target.
ALTER TABLE signals.decisions
ADD COLUMN order_request jsonb;
-- Whether a decision has neither an intent nor a refusal yet; indexed, since nearly all of them have.
ALTER TABLE signals.decisions
ADD COLUMN is_pending boolean NOT NULL DEFAULT true;
UPDATE signals.decisions AS decision SET is_pending = false
WHERE
    EXISTS (
        SELECT FROM trading.intents AS intent
        WHERE intent.decision_id = decision.decision_id
    )
    OR EXISTS (
        SELECT FROM trading.refusals AS refusal
        WHERE refusal.decision_id = decision.decision_id
    );
CREATE INDEX ON signals.decisions (wallet, decided_at) WHERE is_pending;
CREATE FUNCTION trading.settle_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE signals.decisions SET is_pending = false WHERE decision_id = new.decision_id;
    RETURN NULL;
END $$;
CREATE TRIGGER settle_decision AFTER INSERT ON trading.intents
FOR EACH ROW EXECUTE FUNCTION trading.settle_decision();
CREATE TRIGGER settle_decision AFTER INSERT ON trading.refusals
FOR EACH ROW EXECUTE FUNCTION trading.settle_decision();
-- Requests of a strategy or a person to cancel: an unsent order is never sent, a sent one is cancelled at its venue.
CREATE TABLE trading.cancel_requests (
    decision_id  text PRIMARY KEY REFERENCES signals.decisions,
    requested_at timestamptz NOT NULL,
    requested_by text NOT NULL,
    recorded_at  timestamptz NOT NULL
);
-- A decision that differed when its instant was processed again with late or revised inputs. The first decision stays
-- valid, since its order may be filled; a difference that remains is decided at the present instant.
CREATE TABLE signals.remade_decisions (
    decision_id text NOT NULL REFERENCES signals.decisions, -- the first decision, which stays valid
    target      double precision NOT NULL,
    trigger_id  text NOT NULL,
    inputs      jsonb NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (decision_id, trigger_id, target)
);

-- A wallet that Wallets.json no longer lists is retired: it cancels, settles, and is closed.
ALTER TABLE trading.wallets DROP CONSTRAINT wallets_state_check;
ALTER TABLE trading.wallets ADD CONSTRAINT wallets_state_check
CHECK (state IN ('active', 'reducing', 'halted', 'retiring', 'retired'));
ALTER TABLE trading.wallets
ADD COLUMN state_reason text;
ALTER TABLE trading.wallets
ADD COLUMN broker text;
UPDATE trading.wallets SET broker = mode;
ALTER TABLE trading.wallets ALTER COLUMN broker SET NOT NULL;

-- The paper venue stores orders of all types and fills them by the rules of the backtest's simulated broker.
CREATE TABLE trading.paper_venue_accounts (
    account text PRIMARY KEY,
    cash    numeric NOT NULL
);
CREATE TABLE trading.paper_venue_positions (
    account    text NOT NULL REFERENCES trading.paper_venue_accounts,
    listing_id integer NOT NULL,
    quantity   numeric NOT NULL DEFAULT 0,
    matched_to timestamptz,                   -- open time of the newest bar that orders were matched with
    PRIMARY KEY (account, listing_id)
);
CREATE TABLE trading.paper_venue_fills (
    client_order_id text NOT NULL REFERENCES trading.paper_venue_orders,
    venue_fill_id   text NOT NULL,
    quantity        numeric NOT NULL CHECK (quantity > 0),
    price           numeric NOT NULL CHECK (price > 0),
    fee             numeric NOT NULL,
    filled_at       timestamptz NOT NULL,
    bar_interval    text NOT NULL,
    bar_open_time   timestamptz NOT NULL,
    PRIMARY KEY (client_order_id, venue_fill_id)
);
INSERT INTO trading.paper_venue_fills
SELECT
    client_order_id,
    bar_interval || '@' || to_char(bar_open_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS venue_fill_id,
    quantity,
    price,
    fee,
    bar_open_time AS filled_at,
    bar_interval,
    bar_open_time
FROM trading.paper_venue_orders
WHERE state = 'filled';
INSERT INTO trading.paper_venue_accounts (account, cash)
SELECT
    orders.account,
    max(wallet.opening_cash) + coalesce(sum(
        CASE orders.side WHEN 'buy' THEN -fill.quantity * fill.price ELSE fill.quantity * fill.price END - fill.fee
    ), 0) AS cash
FROM trading.paper_venue_orders AS orders
INNER JOIN trading.wallets AS wallet ON orders.account = wallet.wallet
LEFT JOIN trading.paper_venue_fills AS fill USING (client_order_id)
GROUP BY orders.account;
INSERT INTO trading.paper_venue_positions (account, listing_id, quantity, matched_to)
SELECT
    orders.account,
    orders.listing_id,
    coalesce(sum(CASE orders.side WHEN 'buy' THEN fill.quantity ELSE -fill.quantity END), 0) AS quantity,
    max(fill.bar_open_time) AS matched_to
FROM trading.paper_venue_orders AS orders
LEFT JOIN trading.paper_venue_fills AS fill USING (client_order_id)
GROUP BY orders.account, orders.listing_id;
ALTER TABLE trading.paper_venue_orders DROP CONSTRAINT paper_venue_orders_check;
ALTER TABLE trading.paper_venue_orders DROP CONSTRAINT paper_venue_orders_state_check;
ALTER TABLE trading.paper_venue_orders
DROP COLUMN price,
DROP COLUMN fee,
DROP COLUMN bar_interval,
DROP COLUMN bar_open_time;
ALTER TABLE trading.paper_venue_orders
ADD COLUMN sequence bigint NOT NULL GENERATED ALWAYS AS IDENTITY, -- the order in which the venue accepted them
ADD COLUMN filled numeric NOT NULL DEFAULT 0,
ADD COLUMN limit_price numeric,
ADD COLUMN stop_price numeric,
ADD COLUMN trail numeric,
ADD COLUMN time_in_force text NOT NULL DEFAULT 'gtc',
ADD COLUMN auction text,
ADD COLUMN reduce_only boolean NOT NULL DEFAULT false,
ADD COLUMN order_group text,
ADD COLUMN parent_id text REFERENCES trading.paper_venue_orders,
ADD COLUMN matching jsonb,                    -- state of the simulated broker for this order
ADD CONSTRAINT paper_venue_orders_state_check
CHECK (state IN ('waiting', 'open', 'filled', 'rejected', 'cancelled', 'expired'));
UPDATE trading.paper_venue_orders SET filled = quantity
WHERE state = 'filled';

DROP VIEW ops.agenda;
CREATE VIEW ops.agenda AS
SELECT
    CASE WHEN t.releases AND t.status = 'planned' THEN 'release' ELSE 'schedule' END AS kind,
    t.schedule AS what,
    t.tick_at AS starts_at,
    NULL::timestamptz AS ends_at,
    CASE WHEN t.status = 'planned' AND t.tick_at < now() THEN 'missed' ELSE lower(t.status) END AS state,
    t.run_id AS reference
FROM ops.ticks AS t
UNION ALL
SELECT
    'run' AS kind,
    r.job || coalesce(' ' || r.months, '') AS what,
    r.started_at AS starts_at,
    r.ended_at,
    lower(r.status) AS state,
    r.run_id AS reference
FROM ops.runs AS r
UNION ALL
SELECT
    'session' AS kind,
    s.calendar || CASE WHEN s.is_half_day THEN ' (half day)' ELSE '' END AS what,
    s.open_time AS starts_at,
    s.close_time AS ends_at,
    CASE WHEN s.close_time <= now() THEN 'past' WHEN s.open_time <= now() THEN 'open' ELSE 'planned' END AS state,
    s.session_date::text AS reference
FROM records.sessions AS s
UNION ALL
SELECT
    'release' AS kind,
    split_part(o.series, ':', 1) AS what,
    o.knowledge_time AS starts_at,
    NULL::timestamptz AS ends_at,
    CASE WHEN o.knowledge_time <= now() THEN 'past' ELSE 'planned' END AS state,
    max(o.event_time)::date::text AS reference
FROM records.observations AS o
GROUP BY split_part(o.series, ':', 1), o.knowledge_time
UNION ALL
SELECT
    'intent' AS kind,
    i.side || ' ' || i.quantity::text || ' ' || l.venue || ':' || l.symbol || ' for ' || i.wallet AS what,
    i.intended_at AS starts_at,
    CASE WHEN o.state IN ('filled', 'rejected', 'cancelled', 'replaced', 'expired') THEN o.updated_at END AS ends_at,
    o.state,
    i.intent_id AS reference
FROM trading.intents AS i
INNER JOIN trading.wallets AS w USING (wallet)
INNER JOIN records.listings AS l USING (listing_id)
INNER JOIN trading.orders AS o USING (intent_id)
WHERE w.mode <> 'replay';
