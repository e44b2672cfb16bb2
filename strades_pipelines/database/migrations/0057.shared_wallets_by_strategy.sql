-- depends: 0045.moved_actions 0046.strategies_of_a_wallet 0051.strategies_at_a_split

-- Wallets of one strategy taken as one account, as before, and with them each strategy's part of a wallet that several share: an order is of
-- one strategy, so its fills are too, and what they made by session is exact. A shared wallet without sessions, as a replayed one, stays whole.
CREATE OR REPLACE VIEW results.by_strategy AS
WITH members AS (
    SELECT
        c.wallet,
        NULL::text AS sleeve,
        c.mode,
        c.strategy,
        c.currency,
        c.capital
    FROM results.current_wallets AS c
    WHERE
        c.wallet NOT IN (SELECT s.wallet FROM trading.sleeves AS s)
        OR c.wallet NOT IN (SELECT w.wallet FROM results.wallet_sessions AS w)
    UNION ALL
    SELECT
        c.wallet,
        s.sleeve,
        c.mode,
        s.strategy,
        c.currency,
        c.capital * s.capital_percent::double precision / 100 AS capital
    FROM results.current_wallets AS c
    INNER JOIN trading.sleeves AS s ON c.wallet = s.wallet
    WHERE c.wallet IN (SELECT w.wallet FROM results.wallet_sessions AS w)
),

-- What each strategy of a shared wallet made in a session.
made AS (
    SELECT
        a.wallet,
        a.strategy AS sleeve,
        a.session_date,
        sum(a.pnl) AS pnl,
        sum(a.fees) AS fees,
        sum(a.traded) AS traded
    FROM results.session_attribution AS a
    INNER JOIN trading.sleeves AS s ON a.wallet = s.wallet AND a.strategy = s.sleeve
    GROUP BY a.wallet, a.strategy, a.session_date
),

-- Its part of what was paid in and out, and what it made, added up. What flowed into the first session has the opening cash in it.
shares AS (
    SELECT
        s.wallet,
        s.sleeve,
        w.session_date AS day,
        (sum(w.flows * s.capital_percent / 100 + coalesce(m.pnl, 0)) OVER past)::double precision AS equity
    FROM trading.sleeves AS s
    INNER JOIN results.wallet_sessions AS w ON s.wallet = w.wallet
    LEFT JOIN made AS m ON s.wallet = m.wallet AND s.sleeve = m.sleeve AND w.session_date = m.session_date
    WINDOW past AS (PARTITION BY s.wallet, s.sleeve ORDER BY w.session_date)
),

-- Buying and holding its own instruments, each with an equal part of its capital: by the returns that holding them has in the wallet.
held AS (
    SELECT
        m.wallet,
        m.sleeve,
        days.day,
        CASE
            WHEN count(e.benchmark) = count(*)
                THEN m.capital * (1 + avg(e.benchmark * cardinality(w.instruments) / nullif(w.opening_cash::double precision, 0)))
        END AS benchmark
    FROM members AS m
    INNER JOIN trading.wallets AS w ON m.wallet = w.wallet
    INNER JOIN trading.sleeves AS s ON m.wallet = s.wallet AND m.sleeve = s.sleeve
    INNER JOIN shares AS days ON m.wallet = days.wallet AND m.sleeve = days.sleeve
    INNER JOIN records.listings AS l ON l.venue || ':' || l.symbol = any(s.instruments)
    LEFT JOIN LATERAL (
        SELECT newest.benchmark FROM results.listing_equity AS newest
        WHERE newest.wallet = m.wallet AND newest.listing_id = l.listing_id AND newest.day <= days.day
        ORDER BY newest.day DESC
        LIMIT 1
    ) AS e ON true
    GROUP BY m.wallet, m.sleeve, m.capital, days.day
),

days AS (
    SELECT * FROM (
        SELECT DISTINCT ON (e.wallet, e.time::date)
            e.wallet,
            NULL::text AS sleeve,
            e.time::date AS day,
            e.equity,
            e.benchmark
        FROM results.equity AS e
        INNER JOIN members AS m ON e.wallet = m.wallet AND m.sleeve IS NULL
        ORDER BY e.wallet ASC, e.time::date ASC, e.time DESC
    ) AS whole
    UNION ALL
    SELECT
        shares.wallet,
        shares.sleeve,
        shares.day,
        shares.equity,
        held.benchmark
    FROM shares
    LEFT JOIN held ON shares.wallet = held.wallet AND shares.sleeve = held.sleeve AND shares.day = held.day
),

sizes AS (
    SELECT
        mode,
        strategy,
        currency,
        count(*) AS wallets,
        sum(capital) AS capital
    FROM members
    GROUP BY mode, strategy, currency
),

curves AS (
    SELECT
        s.mode,
        s.strategy,
        s.currency,
        d.day,
        sum(d.equity) AS equity,
        CASE WHEN count(d.benchmark) = count(*) THEN sum(d.benchmark) END AS benchmark
    FROM days AS d
    INNER JOIN members AS m ON d.wallet = m.wallet AND d.sleeve IS NOT DISTINCT FROM m.sleeve
    INNER JOIN sizes AS s ON m.mode = s.mode AND m.strategy = s.strategy AND m.currency = s.currency
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

-- Round trips are kept of wallets, not of the strategies that share one: NULL where one of those is among them.
activities AS (
    SELECT
        m.mode,
        m.strategy,
        m.currency,
        sum(CASE WHEN m.sleeve IS NULL THEN (p.statistics ->> 'fees')::double precision ELSE coalesce(own.fees, 0) END) AS fees,
        sum(CASE WHEN m.sleeve IS NULL THEN (p.statistics ->> 'traded')::double precision ELSE coalesce(own.traded, 0) END) AS traded,
        CASE WHEN count(m.sleeve) = 0 THEN sum((p.statistics ->> 'round_trips')::integer) END AS round_trips,
        CASE WHEN count(m.sleeve) = 0 THEN sum((p.statistics ->> 'won')::integer) END AS won
    FROM members AS m
    INNER JOIN results.performance AS p ON m.wallet = p.wallet
    LEFT JOIN LATERAL (
        SELECT
            sum(made.fees)::double precision AS fees,
            sum(made.traded)::double precision AS traded
        FROM made
        WHERE made.wallet = m.wallet AND made.sleeve = m.sleeve
    ) AS own ON m.sleeve IS NOT NULL
    GROUP BY m.mode, m.strategy, m.currency
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
