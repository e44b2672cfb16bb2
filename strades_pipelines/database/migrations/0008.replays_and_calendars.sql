-- Which wallet the last replay of a template over a window was: after a change of parameters, code or data it is another
-- one, and after the change is taken back the former again. Grain: one row a template and window.
CREATE TABLE trading.replays (
    name       text NOT NULL,             -- of the template in Wallets.json
    opened_at  timestamptz NOT NULL,
    window_end timestamptz NOT NULL,      -- [opened_at, window_end)
    wallet     text NOT NULL REFERENCES trading.wallets,
    PRIMARY KEY (name, opened_at, window_end)
);
INSERT INTO trading.replays
SELECT DISTINCT ON (split_part(wallet, '@', 1), opened_at, window_end)
    split_part(wallet, '@', 1) AS name,
    opened_at,
    window_end,
    wallet
FROM trading.wallets
WHERE mode = 'replay'
ORDER BY split_part(wallet, '@', 1) ASC, opened_at ASC, window_end ASC, as_of DESC, wallet ASC;

-- The wallets that trade, and of each replayed one the last over its latest window: what a question about now is about.
CREATE OR REPLACE VIEW results.current_wallets AS
SELECT DISTINCT ON (w.mode, coalesce(r.name, w.wallet))
    w.wallet,
    coalesce(r.name, w.wallet) AS name,
    w.mode,
    w.strategy,
    w.currency,
    w.opening_cash::double precision AS capital
FROM trading.wallets AS w
INNER JOIN results.performance USING (wallet)
LEFT JOIN trading.replays AS r USING (wallet)
WHERE w.mode <> 'replay' OR r.wallet IS NOT NULL
ORDER BY w.mode ASC, coalesce(r.name, w.wallet) ASC, w.window_end DESC, w.opened_at ASC;

-- The sessions from 1999 to the end of `last_year` are in records.sessions; what worked them out, with its version.
-- Grain: one row a calendar.
CREATE TABLE records.calendars (
    calendar  text PRIMARY KEY,
    last_year integer NOT NULL,
    made_by   text NOT NULL
);
