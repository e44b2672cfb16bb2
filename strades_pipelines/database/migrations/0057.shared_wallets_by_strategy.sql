-- depends: 0045.moved_actions 0046.strategies_of_a_wallet 0051.strategies_at_a_split

-- Wallets of one strategy taken as one account, as before, and with them each strategy's part of a wallet that several share: an order is of
-- one strategy, so its fills are too, and what they made by session is exact. A shared wallet without sessions, as a replayed one, stays whole.
CREATE OR REPLACE VIEW results.by_strategy AS
WITH sleeves AS (
    SELECT
        s.wallet,
        s.sleeve,
        s.strategy,
        s.instruments,
        s.capital_percent,
        min(s.opened_at) OVER same AS opened_at,
        coalesce(s.retired_at, 'infinity') = max(coalesce(s.retired_at, 'infinity')) OVER same AS has_capital
    FROM trading.sleeves AS s
    WINDOW same AS (PARTITION BY s.wallet, s.strategy)
),

-- One for each wallet and strategy, from the session on in which its first sleeve was opened. A sleeve that is retired has handed its capital
-- on, so that it is counted once: it is that of those in the file, or of the last one that was. What the others made, losses too, stays in.
parts AS (
    SELECT
        s.wallet,
        s.strategy,
        sum(s.capital_percent) FILTER (WHERE s.has_capital) AS capital_percent,
        starts.day AS first_day
    FROM sleeves AS s
    INNER JOIN LATERAL (
        SELECT min(w.session_date) AS day FROM results.wallet_sessions AS w
        WHERE w.wallet = s.wallet AND w.valued_at > s.opened_at
    ) AS starts ON starts.day IS NOT NULL
    GROUP BY s.wallet, s.strategy, starts.day
),

members AS (
    SELECT
        c.wallet,
        false AS is_part,
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
        true AS is_part,
        c.mode,
        p.strategy,
        c.currency,
        c.capital * p.capital_percent::double precision / 100 AS capital
    FROM results.current_wallets AS c
    INNER JOIN parts AS p ON c.wallet = p.wallet
),

-- What each strategy of a shared wallet made in a session.
made AS (
    SELECT
        a.wallet,
        s.strategy,
        a.session_date,
        sum(a.pnl) AS pnl,
        sum(a.fees) AS fees,
        sum(a.traded) AS traded
    FROM results.session_attribution AS a
    INNER JOIN trading.sleeves AS s ON a.wallet = s.wallet AND a.strategy = s.sleeve
    GROUP BY a.wallet, s.strategy, a.session_date
),

-- Its part of what was paid in and out, and what it made, added up. What flowed into the first session has the opening cash in it: the sum
-- is over all sessions, and those before it was opened are left out of the result.
shares AS (
    SELECT
        summed.wallet,
        summed.strategy,
        summed.day,
        summed.equity
    FROM (
        SELECT
            p.wallet,
            p.strategy,
            p.first_day,
            w.session_date AS day,
            (sum(w.flows * p.capital_percent / 100 + coalesce(m.pnl, 0)) OVER past)::double precision AS equity
        FROM parts AS p
        INNER JOIN results.wallet_sessions AS w ON p.wallet = w.wallet
        LEFT JOIN made AS m ON p.wallet = m.wallet AND p.strategy = m.strategy AND w.session_date = m.session_date
        WINDOW past AS (PARTITION BY p.wallet, p.strategy ORDER BY w.session_date)
    ) AS summed
    WHERE summed.day >= summed.first_day
),

-- Buying and holding the instruments of each sleeve that has capital, each with an equal part of it: by the returns that holding them has in
-- the wallet, from the last close before the strategy was opened there on.
held AS (
    SELECT
        bought.wallet,
        bought.strategy,
        bought.day,
        CASE WHEN count(bought.benchmark) = count(*) THEN sum(bought.benchmark) END AS benchmark
    FROM (
        SELECT
            s.wallet,
            s.sleeve,
            s.strategy,
            days.day,
            CASE
                WHEN count(e.benchmark) = count(*)
                    THEN
                        c.capital * s.capital_percent::double precision / 100
                        * avg(
                            (c.capital + e.benchmark * cardinality(w.instruments))
                            / nullif(c.capital + coalesce(before.benchmark, 0) * cardinality(w.instruments), 0)
                        )
            END AS benchmark
        FROM sleeves AS s
        INNER JOIN parts AS p ON s.wallet = p.wallet AND s.strategy = p.strategy
        INNER JOIN results.current_wallets AS c ON s.wallet = c.wallet
        INNER JOIN trading.wallets AS w ON s.wallet = w.wallet
        INNER JOIN shares AS days ON s.wallet = days.wallet AND s.strategy = days.strategy
        INNER JOIN records.listings AS l ON l.venue || ':' || l.symbol = any(s.instruments)
        LEFT JOIN LATERAL (
            SELECT newest.benchmark FROM results.listing_equity AS newest
            WHERE newest.wallet = s.wallet AND newest.listing_id = l.listing_id AND newest.day <= days.day
            ORDER BY newest.day DESC
            LIMIT 1
        ) AS e ON true
        LEFT JOIN LATERAL (
            SELECT newest.benchmark FROM results.listing_equity AS newest
            WHERE newest.wallet = s.wallet AND newest.listing_id = l.listing_id AND newest.day < p.first_day
            ORDER BY newest.day DESC
            LIMIT 1
        ) AS before ON true
        WHERE s.has_capital
        GROUP BY s.wallet, s.sleeve, s.strategy, s.capital_percent, c.capital, days.day
    ) AS bought
    GROUP BY bought.wallet, bought.strategy, bought.day
),

days AS (
    SELECT * FROM (
        SELECT DISTINCT ON (e.wallet, e.time::date)
            e.wallet,
            m.strategy,
            e.time::date AS day,
            e.equity,
            e.benchmark
        FROM results.equity AS e
        INNER JOIN members AS m ON e.wallet = m.wallet AND NOT m.is_part
        ORDER BY e.wallet ASC, e.time::date ASC, e.time DESC
    ) AS whole
    UNION ALL
    SELECT
        shares.wallet,
        shares.strategy,
        shares.day,
        shares.equity,
        held.benchmark
    FROM shares
    LEFT JOIN held ON shares.wallet = held.wallet AND shares.strategy = held.strategy AND shares.day = held.day
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
    INNER JOIN members AS m ON d.wallet = m.wallet AND d.strategy = m.strategy
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
        sum(CASE WHEN m.is_part THEN coalesce(own.fees, 0) ELSE (p.statistics ->> 'fees')::double precision END) AS fees,
        sum(CASE WHEN m.is_part THEN coalesce(own.traded, 0) ELSE (p.statistics ->> 'traded')::double precision END) AS traded,
        CASE WHEN NOT bool_or(m.is_part) THEN sum((p.statistics ->> 'round_trips')::integer) END AS round_trips,
        CASE WHEN NOT bool_or(m.is_part) THEN sum((p.statistics ->> 'won')::integer) END AS won
    FROM members AS m
    INNER JOIN results.performance AS p ON m.wallet = p.wallet
    LEFT JOIN LATERAL (
        SELECT
            sum(made.fees)::double precision AS fees,
            sum(made.traded)::double precision AS traded
        FROM made
        WHERE made.wallet = m.wallet AND made.strategy = m.strategy
    ) AS own ON m.is_part
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
