-- depends: 0065.trades_heard 0045.moved_actions

-- Strategies hear of news, of corporate actions and of gaps: what they were fed with is noted as bars and trades are (migration 0030), for all
-- listings alike, since an article may mention any and a split is stated once for its market.
-- What a provider moves to another day takes back what it said before, which may have been known earlier (0054).
DO $do$
DECLARE
    nearby text := $$(SELECT %s(near.knowledge_time) FROM records.corporate_actions AS near WHERE near.listing_id = rows.listing_id
        AND near.action = rows.action AND near.ex_date BETWEEN rows.ex_date - 14 AND rows.ex_date + 14)$$;
BEGIN
    PERFORM ops.mark_changes('records.articles', 'inputs', $$trading.note_input_changes('''articles''', 'knowledge_time', 'knowledge_time')$$);
    PERFORM ops.mark_changes('records.corporate_actions', 'inputs', format(
        $$trading.note_input_changes('''actions''', %L, %L)$$,
        format('least(rows.knowledge_time, %s)', format(nearby, 'min')), format('greatest(rows.knowledge_time, %s)', format(nearby, 'max'))
    ));
    -- When a market was open; a gap is known with the bar behind it.
    PERFORM ops.mark_changes('records.sessions', 'inputs', $$trading.note_input_changes('''sessions''', 'open_time', '''infinity''::timestamptz')$$);
END $do$;
CREATE TRIGGER inputs_truncate AFTER TRUNCATE ON records.sessions
FOR EACH STATEMENT EXECUTE FUNCTION trading.note_truncated_inputs();
CREATE TRIGGER inputs_truncate AFTER TRUNCATE ON records.articles
FOR EACH STATEMENT EXECUTE FUNCTION trading.note_truncated_inputs();
CREATE TRIGGER inputs_truncate AFTER TRUNCATE ON records.corporate_actions
FOR EACH STATEMENT EXECUTE FUNCTION trading.note_truncated_inputs();
