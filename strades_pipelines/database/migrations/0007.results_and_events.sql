---------------------------------------------------------------- results by listing
-- What each listing brought a wallet, at the last instant of each UTC day: the wallet's P&L is the sum of its listings'.
CREATE TABLE results.listing_equity (
    wallet     text NOT NULL REFERENCES trading.wallets,
    listing_id integer NOT NULL REFERENCES records.listings,
    day        date NOT NULL,
    time       timestamptz NOT NULL,         -- the last instant of the day that the wallet was valued at
    quantity   double precision NOT NULL,
    value      double precision NOT NULL,    -- quantity at the last close
    pnl        double precision NOT NULL,    -- sold - bought - fees + value, since the opening
    benchmark  double precision NOT NULL,    -- P&L of holding an equal part of the capital from the listing's first bar
    PRIMARY KEY (wallet, listing_id, day)
);
CREATE TABLE results.listing_performance (
    wallet     text NOT NULL REFERENCES trading.wallets,
    listing_id integer NOT NULL REFERENCES records.listings,
    pnl        double precision NOT NULL,
    fees       double precision NOT NULL,
    statistics jsonb NOT NULL,
    benchmark  jsonb NOT NULL,
    PRIMARY KEY (wallet, listing_id)
);
-- A replay wallet beside `strades backtest` of the same strategy over the same bars, run in another process.
CREATE TABLE results.parity (
    wallet         text PRIMARY KEY REFERENCES trading.wallets,
    replay_fills   integer NOT NULL,
    backtest_fills integer NOT NULL,
    differing      integer NOT NULL,         -- fills that only one of the two has
    detail         text NOT NULL,
    recorded_at    timestamptz NOT NULL
);

-- The wallets that trade, and of each replayed one the newest: what a question about now is about.
CREATE VIEW results.current_wallets AS
SELECT DISTINCT ON (w.mode, split_part(w.wallet, '@', 1))
    w.wallet,
    split_part(w.wallet, '@', 1) AS name,
    w.mode,
    w.strategy,
    w.currency,
    w.opening_cash::double precision AS capital
FROM trading.wallets AS w
INNER JOIN results.performance USING (wallet)
ORDER BY w.mode ASC, split_part(w.wallet, '@', 1) ASC, w.window_end DESC, w.as_of DESC, w.wallet ASC;

CREATE VIEW results.by_listing AS
SELECT
    c.mode,
    c.strategy,
    c.name,
    c.wallet,
    l.venue,
    l.symbol,
    c.currency,
    p.pnl,
    p.fees,
    (p.statistics ->> 'total_return')::double precision AS total_return,
    (p.statistics ->> 'sharpe')::double precision AS sharpe,
    (p.statistics ->> 'max_drawdown')::double precision AS max_drawdown,
    (p.statistics ->> 'turnover')::double precision AS turnover,
    (p.statistics ->> 'round_trips')::integer AS round_trips,
    (p.statistics ->> 'hit_rate')::double precision AS hit_rate,
    (p.benchmark ->> 'total_return')::double precision AS benchmark_return
FROM results.current_wallets AS c
INNER JOIN results.listing_performance AS p USING (wallet)
INNER JOIN records.listings AS l USING (listing_id);

-- Wallets of one strategy taken as one account: their capitals and, on the days that all of them have, their equities added up.
CREATE VIEW results.by_strategy AS
WITH days AS (
    SELECT DISTINCT ON (e.wallet, e.time::date)
        e.wallet,
        e.time::date AS day,
        e.equity,
        e.benchmark
    FROM results.equity AS e
    INNER JOIN results.current_wallets USING (wallet)
    ORDER BY e.wallet ASC, e.time::date ASC, e.time DESC
),

sizes AS (
    SELECT
        mode,
        strategy,
        currency,
        count(*) AS wallets,
        sum(capital) AS capital
    FROM results.current_wallets
    GROUP BY mode, strategy, currency
),

curves AS (
    SELECT
        s.mode,
        s.strategy,
        s.currency,
        d.day,
        sum(d.equity) AS equity,
        sum(d.benchmark) AS benchmark
    FROM days AS d
    INNER JOIN results.current_wallets USING (wallet)
    INNER JOIN sizes AS s USING (mode, strategy, currency)
    GROUP BY s.mode, s.strategy, s.currency, s.wallets, d.day
    HAVING count(*) = s.wallets
),

steps AS (
    SELECT
        *,
        equity / lag(equity) OVER curve - 1 AS daily_return,
        equity / max(equity) OVER (curve ROWS UNBOUNDED PRECEDING) - 1 AS drawdown,
        last_value(equity) OVER (curve ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS final_equity,
        last_value(benchmark) OVER (curve ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS final_benchmark
    FROM curves
    WINDOW curve AS (PARTITION BY mode, strategy, currency ORDER BY day)
),

risks AS (
    SELECT
        mode,
        strategy,
        currency,
        min(drawdown) AS max_drawdown,
        avg(daily_return) / nullif(stddev_samp(daily_return), 0)
        * sqrt(count(daily_return) * 365.25 / nullif(max(day) - min(day), 0)) AS sharpe,
        max(final_equity) AS final_equity,
        max(final_benchmark) AS final_benchmark
    FROM steps
    GROUP BY mode, strategy, currency
),

activities AS (
    SELECT
        c.mode,
        c.strategy,
        c.currency,
        sum((p.statistics ->> 'fees')::double precision) AS fees,
        sum((p.statistics ->> 'traded')::double precision) AS traded,
        sum((p.statistics ->> 'round_trips')::integer) AS round_trips,
        sum((p.statistics ->> 'won')::integer) AS won
    FROM results.current_wallets AS c
    INNER JOIN results.performance AS p USING (wallet)
    GROUP BY c.mode, c.strategy, c.currency
)

SELECT
    s.mode,
    s.strategy,
    s.currency,
    s.wallets,
    s.capital,
    r.final_equity,
    r.final_equity / nullif(s.capital, 0) - 1 AS total_return,
    r.sharpe,
    r.max_drawdown,
    a.fees,
    a.traded / nullif(s.capital, 0) AS turnover,
    a.round_trips,
    a.won / nullif(a.round_trips, 0)::double precision AS hit_rate,
    r.final_benchmark / nullif(s.capital, 0) - 1 AS benchmark_return
FROM sizes AS s
INNER JOIN risks AS r USING (mode, strategy, currency)
INNER JOIN activities AS a USING (mode, strategy, currency);

---------------------------------------------------------------- what happened, and what is due
-- Where something happens: this installation, a broker, a source of Sources.json.
CREATE TABLE ops.platforms (
    platform_id text PRIMARY KEY,
    title       text NOT NULL,
    url         text
);
CREATE TABLE ops.event_types (
    event_type_id text PRIMARY KEY,
    title         text NOT NULL
);
INSERT INTO ops.event_types VALUES
('schedule_started', 'A schedule or sensor was started'),
('schedule_stopped', 'A schedule or sensor was stopped'),
('schedule_changed', 'A schedule has other times'),
('run_finished', 'A run ended well'),
('run_failed', 'A run failed'),
('wallet_opened', 'A wallet was opened'),
('order_sent', 'An order went to its broker'),
('order_filled', 'An order was filled, or a part of it'),
('order_ended', 'An order ended without a fill'),
('decision_refused', 'A decision did not become an order'),
('alert', 'A person was called'),
('article_posted', 'A source published an article'),
('video_posted', 'A channel published a video');
-- The same happening has the same id, however often it is told.
CREATE TABLE ops.events (
    id_event      text PRIMARY KEY,           -- <event type>:<what identifies it>
    user_id       text NOT NULL,              -- whose: the wallet, the author, or strades itself
    platform_id   text NOT NULL REFERENCES ops.platforms,
    event_type_id text NOT NULL REFERENCES ops.event_types,
    value         jsonb NOT NULL,
    timestamp     timestamptz NOT NULL        -- when it happened
);
CREATE INDEX ON ops.events (timestamp);

-- Dagster's runs, told once more where SQL finds them.
CREATE TABLE ops.runs (
    run_id     text PRIMARY KEY,
    job        text NOT NULL,
    status     text NOT NULL,
    months     text,                          -- the months it was for, [first, last]
    started_at timestamptz NOT NULL,
    ended_at   timestamptz
);
-- The state of every schedule and sensor as it was last seen.
CREATE TABLE ops.schedules (
    name   text PRIMARY KEY,
    kind   text NOT NULL CHECK (kind IN ('schedule', 'sensor')),
    cron   text,                              -- UTC; null for a sensor
    status text NOT NULL CHECK (status IN ('RUNNING', 'STOPPED'))
);
-- Ticks of the schedules: those that were, and those to come in the next days.
CREATE TABLE ops.ticks (
    schedule text NOT NULL,
    tick_at  timestamptz NOT NULL,
    status   text NOT NULL,                   -- planned, or what Dagster says of it: SUCCESS, SKIPPED, FAILURE
    run_id   text,
    releases boolean NOT NULL,                -- whether a statistics office or the like is asked for what it releases then
    PRIMARY KEY (schedule, tick_at)
);
-- The months of each asset, in stretches of the same state.
CREATE TABLE ops.partition_inventory (
    asset       text NOT NULL,
    first_month date NOT NULL,
    last_month  date NOT NULL,
    status      text NOT NULL CHECK (status IN ('materialized', 'failed', 'missing')),
    months      integer NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (asset, first_month)
);

-- One list of past, present and future. `state` is as of the clock of the database.
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
    CASE WHEN o.state IN ('filled', 'rejected', 'cancelled', 'expired') THEN o.updated_at END AS ends_at,
    coalesce(o.state, 'planned') AS state,
    i.intent_id AS reference
FROM trading.intents AS i
INNER JOIN trading.wallets AS w USING (wallet)
INNER JOIN records.listings AS l USING (listing_id)
LEFT JOIN trading.orders AS o USING (intent_id)
WHERE w.mode <> 'replay';
