-- depends: 0036.finite_times_of_commands

-- What somebody wants to change of the data, asked for in the dashboard: a file to take in, a record written by hand, the
-- correction of one. Once an admin accepts it, `strades up` carries it out and writes the outcome.
CREATE TABLE ops.data_requests (
    request_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_key  uuid NOT NULL UNIQUE,        -- of the form: the same form sent twice is one request
    kind         text NOT NULL CHECK (kind IN ('file', 'record', 'correction')),
    requested_by text NOT NULL,               -- dashboard:NAME
    requested_at timestamptz NOT NULL,
    reason       text NOT NULL,
    protocol     text NOT NULL,               -- how to read the bytes: a file of scrapers/protocols
    source       text,                        -- the website of Sources.json; null: the one that speaks the protocol
    given        jsonb NOT NULL,              -- what the bytes do not say: symbol, venue, interval, ...
    file_name    text NOT NULL,
    body         bytea NOT NULL,              -- as it was sent; empty once the bytes are in rawsources.bodies
    outcome      text,                        -- null while it waits
    fetch_id     bigint,                      -- under which the bytes were stored
    finished_at  timestamptz,
    CONSTRAINT a_body_has_at_most_8_mib CHECK (octet_length(body) <= 8388608),
    CONSTRAINT given_are_texts CHECK (
        jsonb_typeof(given) = 'object' AND NOT jsonb_path_exists(given, 'strict $.* ? (@.type() != "string")')
    ),
    -- A page shows 25 of them.
    CONSTRAINT texts_are_short CHECK (
        length(requested_by) + length(reason) + length(protocol) + length(file_name) + coalesce(length(source), 0) <= 2000
        AND length(given::text) <= 10000
    ),
    -- Python reads no year after 9999, and what cannot be read breaks the pages of all others.
    CHECK (requested_at BETWEEN '2000-01-01Z' AND '2200-01-01Z'),
    CONSTRAINT an_outcome_has_its_time CHECK ((outcome IS NULL) = (finished_at IS NULL))
);
CREATE INDEX ON ops.data_requests (request_id) WHERE outcome IS NULL;
ALTER TABLE ops.data_requests ALTER COLUMN body SET STORAGE EXTERNAL;

-- What an admin said of a request: the first word counts, and is never changed.
CREATE TABLE ops.data_verdicts (
    request_id  bigint PRIMARY KEY REFERENCES ops.data_requests,
    is_accepted boolean NOT NULL,
    decided_by  text NOT NULL,
    decided_at  timestamptz NOT NULL,
    CHECK (decided_at BETWEEN '2000-01-01Z' AND '2200-01-01Z')
);

-- The dashboard inserts and decides requests, but cannot write outcomes.
GRANT INSERT (
    request_key, kind, requested_by, requested_at, reason, protocol, source, given, file_name, body
) ON ops.data_requests TO strades_dashboard;
GRANT INSERT (request_id, is_accepted, decided_by, decided_at) ON ops.data_verdicts TO strades_dashboard;
-- Which migrations are applied is shown with the software.
GRANT SELECT ON public._yoyo_migration TO strades_dashboard;

-- Tables that their migrations say nothing of, for the list of the data manager.
COMMENT ON TABLE rawsources.live_scrapper_logs_info IS 'What the spiders had to say of each crawl, line by line.';
COMMENT ON VIEW records.historical_prices_storage IS 'Bars under the names of venue and symbol.';
COMMENT ON TABLE records.candle_revisions IS 'Bars that were replaced by another version, each until superseded_at.';
COMMENT ON TABLE records.trade_revisions IS 'Trades that were replaced by another version, each until superseded_at.';
COMMENT ON TABLE records.observation_revisions IS 'Values that were replaced by another version, each until superseded_at.';
COMMENT ON TABLE records.corporate_action_revisions
IS 'Dividends and splits that were replaced by another version, each until superseded_at.';
COMMENT ON TABLE records.article_revisions IS 'Articles as they stood before an edit, each until superseded_at.';
COMMENT ON TABLE records.documents IS 'One row a filing, as its archive describes it.';
COMMENT ON TABLE records.document_revisions IS 'Filings as they were described before, each until superseded_at.';
COMMENT ON TABLE records.split_adjustment_revisions IS 'Split adjustments that were replaced, each until superseded_at.';
COMMENT ON TABLE predictions.models IS 'One row a trained model: what it was trained on, and its hash.';
COMMENT ON TABLE predictions.forecasts IS 'One row a model, listing and decision: the forecast, or why there is none.';
COMMENT ON TABLE predictions.scores IS 'One row a forecast whose horizon is over: how wrong it and the naive one were.';
COMMENT ON TABLE trading.orders IS 'One row an intent that was sent: its state at the venue, made of trading.order_events.';
COMMENT ON TABLE trading.positions IS 'Units that each wallet holds of each listing, as the ledger says.';
COMMENT ON TABLE trading.cash IS 'Cash of each wallet by currency, as the ledger says.';
COMMENT ON TABLE trading.paper_venue_positions IS 'What the paper venue keeps of holdings.';
COMMENT ON TABLE trading.paper_venue_fills IS 'What the paper venue filled.';
COMMENT ON TABLE signals.decisions IS 'One row a decision of a strategy: what it wants to hold, why, and what it read.';
COMMENT ON TABLE results.listing_performance IS 'One row a wallet and listing: profit, fees and statistics.';
COMMENT ON TABLE results.parity_differences IS 'What differs between a day as it was traded and as it is made again.';
COMMENT ON VIEW results.by_listing IS 'Current wallets listing by listing, beside buying and holding each.';
COMMENT ON TABLE records.instruments IS 'One row a financial instrument of the list of sources.';
COMMENT ON TABLE records.sessions IS 'One row a calendar and trading session, with the instants of its open and close.';
COMMENT ON TABLE records.candles IS 'One row a listing, interval and opening time; final bars only.';
COMMENT ON TABLE records.trades IS 'One row a listing and the trade id of its venue.';
COMMENT ON TABLE records.observations IS 'One row a series and the day it is about, an exchange rate for instance.';
COMMENT ON TABLE records.corporate_actions IS 'One row a listing, ex-date and kind of action: dividend or split.';
COMMENT ON TABLE trading.wallets IS 'One row a wallet: its strategy, mode, limits and state.';
COMMENT ON TABLE trading.fills IS 'One row a fill, as the venue said it.';
COMMENT ON TABLE results.equity IS 'One row a wallet and instant at which its holdings were valued, beside buying and holding.';
COMMENT ON TABLE results.performance IS 'One row a wallet: statistics of its equity, and of buying and holding.';
