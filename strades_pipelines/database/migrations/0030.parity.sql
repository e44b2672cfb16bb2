-- depends: 0025.commands 0029.books

-- What a trading wallet's strategy was fed: which rows changed, by their knowledge times. Append-only; whatever writes such a row
-- notes it in the same transaction. A checkpoint of a wallet holds until one of its subjects changes behind it.
CREATE TABLE trading.input_changes (
    subject    text NOT NULL,                 -- bars:<listing>:<interval>, adjustments:<listing>, forecasts:<listing>:<model>, wallet:<name>, *
    known_from timestamptz NOT NULL,
    known_to   timestamptz NOT NULL,          -- [known_from, known_to]
    changed_by bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint, -- the transaction
    changed_at timestamptz NOT NULL DEFAULT now() -- by the database's clock
);
CREATE INDEX ON trading.input_changes (changed_by);
CREATE INDEX ON trading.input_changes (changed_at);
GRANT SELECT, INSERT ON trading.input_changes TO strades_dbt;

-- Where the stepping of a trading wallet goes on from. Deleting any of them costs time only.
CREATE TABLE trading.wallet_checkpoints (
    wallet      text NOT NULL REFERENCES trading.wallets,
    purpose     text NOT NULL CHECK (purpose IN ('decide', 'measure')), -- what was stored of all that came before
    covers_to   timestamptz NOT NULL,         -- all events known before this are in the state, and no other
    fingerprint text NOT NULL,                -- SHA-256 over the code, the wallet's setting, its listings, the tables read
    seen        text NOT NULL CHECK (pg_snapshot_xmin(seen::pg_snapshot) IS NOT NULL), -- pg_current_snapshot() before the inputs were read
    read_at     timestamptz NOT NULL,         -- when that was, by the database's clock
    state       text NOT NULL,                -- JSON of plain data, with NaN
    PRIMARY KEY (wallet, purpose, covers_to)
);

-- Notes the rows of a statement. Arguments, in SQL over such a row: the subject, the first and the last knowledge time it concerns,
-- and which rows count.
CREATE FUNCTION trading.note_input_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'INSERT INTO trading.input_changes (subject, known_from, known_to) SELECT %s, min(%s), max(%s) FROM %s AS rows WHERE %s GROUP BY 1',
        tg_argv[0], tg_argv[1], tg_argv[2],
        CASE tg_op WHEN 'UPDATE' THEN '(SELECT * FROM changed UNION ALL SELECT * FROM before)' ELSE 'changed' END,
        coalesce(tg_argv[3], 'true')
    );
    RETURN NULL;
END $$;
CREATE FUNCTION trading.note_truncated_inputs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO trading.input_changes (subject, known_from, known_to) VALUES ('*', '-infinity', 'infinity');
    RETURN NULL;
END $$;
DO $do$
DECLARE
    truncated text;
BEGIN
    PERFORM ops.mark_changes('records.candles', 'inputs', $$trading.note_input_changes(
        'concat_ws('':'', ''bars'', listing_id, "interval")', 'knowledge_time', 'knowledge_time')$$);
    PERFORM ops.mark_changes('records.split_adjustments', 'inputs', $$trading.note_input_changes(
        'concat_ws('':'', ''adjustments'', listing_id)', 'from_time', '''infinity''::timestamptz')$$);
    PERFORM ops.mark_changes('predictions.forecasts', 'inputs', $$trading.note_input_changes(
        'concat_ws('':'', ''forecasts'', listing_id, name)', 'decision_time', 'decision_time')$$);
    PERFORM ops.mark_changes('trading.fills', 'inputs', $$trading.note_input_changes(
        '''wallet:'' || wallet', 'known_at', 'known_at')$$, '{insert}');
    PERFORM ops.mark_changes('trading.movements', 'inputs', $$trading.note_input_changes(
        '''wallet:'' || wallet', 'recorded_at', 'recorded_at')$$, '{insert}');
    PERFORM ops.mark_changes('trading.refusals', 'inputs', $$trading.note_input_changes(
        '''wallet:'' || wallet', 'recorded_at', 'recorded_at')$$, '{insert}');
    -- Of orders a strategy hears how they ended, which none does with its first event; fills are noted above.
    PERFORM ops.mark_changes('trading.orders', 'inputs', $$trading.note_input_changes(
        '''wallet:'' || wallet', 'updated_at', 'updated_at', 'state IN (''cancelled'', ''replaced'', ''rejected'', ''expired'')')$$,
        '{update}');
    FOREACH truncated IN ARRAY '{records.candles,records.split_adjustments,predictions.forecasts}'::text[] LOOP
        EXECUTE format(
            'CREATE TRIGGER inputs_truncate AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION trading.note_truncated_inputs()',
            truncated
        );
    END LOOP;
END $do$;
-- dbt makes the table of daily bars, at times anew: with other triggers then, by which the checkpoints of before are told.
CREATE FUNCTION trading.watch_daily_bars() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'cleaned.daily_bars'::regclass AND tgname = 'inputs_insert') THEN
        RETURN;
    END IF;
    PERFORM ops.mark_changes('cleaned.daily_bars', 'inputs', $fn$trading.note_input_changes(
        'concat_ws('':'', ''bars'', listing_id, ''1d'')', 'knowledge_time', 'knowledge_time')$fn$);
    CREATE TRIGGER inputs_truncate AFTER TRUNCATE ON cleaned.daily_bars
    FOR EACH STATEMENT EXECUTE FUNCTION trading.note_truncated_inputs();
END $$;

-- Candles that were known long after their close are found by when they were known, the others by when they opened.
CREATE INDEX ON records.candles (listing_id, "interval", knowledge_time) WHERE knowledge_time - close_time > '01:00:00'::interval;
CREATE INDEX ON trading.fills (wallet, known_at);
-- What a pass asks about orders: each of these read all that there ever were.
CREATE INDEX ON trading.fills (intent_id);
CREATE INDEX ON trading.orders (wallet, updated_at) WHERE state IN ('cancelled', 'replaced', 'rejected', 'expired');
CREATE INDEX ON trading.refusals (wallet, recorded_at);
CREATE INDEX ON trading.intents (order_group) WHERE order_group IS NOT NULL;
-- What a strategy last wanted to hold of a listing.
CREATE INDEX ON signals.decisions (wallet, listing_id, decided_at, ordinal)
WHERE order_request IS NULL AND trigger_kind <> 'person';

-- A trading wallet's UTC day beside what the same code makes of it again (brokerage/daily_parity.py).
CREATE TABLE results.daily_parity (
    wallet             text NOT NULL REFERENCES trading.wallets,
    day                date NOT NULL,
    decisions          integer NOT NULL,      -- of either of the two
    decisions_agreeing integer NOT NULL,
    fills              integer NOT NULL,      -- of orders decided on that day
    fills_agreeing     integer NOT NULL,
    code_hash          text NOT NULL,         -- of the code that was asked
    recorded_at        timestamptz NOT NULL,
    PRIMARY KEY (wallet, day),
    CHECK (decisions_agreeing BETWEEN 0 AND decisions),
    CHECK (fills_agreeing BETWEEN 0 AND fills)
);
CREATE TABLE results.parity_differences (
    wallet     text NOT NULL,
    day        date NOT NULL,
    subject    text NOT NULL CHECK (subject IN ('decision', 'fill')),
    reference  text NOT NULL,                 -- the decision, or the intent whose fills differ
    listing_id integer NOT NULL REFERENCES records.listings,
    at         timestamptz NOT NULL,          -- when it was decided
    cause      text NOT NULL CHECK (cause IN ('data', 'late_correction', 'latency', 'fill_model', 'fee', 'code', 'bug')),
    recorded   text NOT NULL,
    expected   text NOT NULL,                 -- what the replay has in its place
    PRIMARY KEY (wallet, day, subject, reference),
    FOREIGN KEY (wallet, day) REFERENCES results.daily_parity
);
-- How far a strategy's trading is what a backtest says it is: by day, and over all days up to it.
CREATE VIEW results.strategy_parity AS
WITH days AS (
    SELECT
        w.mode,
        w.strategy,
        p.day,
        sum(p.decisions) AS decisions,
        sum(p.decisions_agreeing) AS decisions_agreeing,
        sum(p.fills) AS fills,
        sum(p.fills_agreeing) AS fills_agreeing
    FROM results.daily_parity AS p
    INNER JOIN trading.wallets AS w USING (wallet)
    GROUP BY w.mode, w.strategy, p.day
)

SELECT
    days.*,
    (sum(days.decisions_agreeing) OVER past / nullif(sum(days.decisions) OVER past, 0))::double precision AS decision_score,
    (sum(days.fills_agreeing) OVER past / nullif(sum(days.fills) OVER past, 0))::double precision AS fill_score
FROM days
WINDOW past AS (PARTITION BY days.mode, days.strategy ORDER BY days.day);

-- The report of what is traded (brokerage/trading_context.py), as the asset found it; one that says what the newest does is not kept.
CREATE TABLE trading.contexts (
    context_id   bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    content_hash text NOT NULL,               -- SHA-256 over the document but for its time
    as_of        timestamptz NOT NULL,
    run_id       text NOT NULL,               -- of Dagster
    document     jsonb NOT NULL
);
