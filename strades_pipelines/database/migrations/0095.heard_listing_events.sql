-- depends: 0094.wallet_bars 0081.listing_events

-- Strategies hear of symbol changes and delistings: what they were fed with is noted as splits and dividends are (migration 0075). Another
-- announcement takes back what was to come, so all that is known from it on may change.
DO $do$
BEGIN
    PERFORM ops.mark_changes(
        'records.listing_events', 'inputs', $$trading.note_input_changes('''actions''', 'knowledge_time', '''infinity''::timestamptz')$$
    );
END $do$;
