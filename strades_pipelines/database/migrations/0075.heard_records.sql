-- depends: 0065.trades_heard 0045.moved_actions

-- Strategies hear of news and of corporate actions: what they were fed with is noted as bars and trades are (migration 0030), for all
-- listings alike, since an article may mention any and a split is stated once for its market.
DO $do$
BEGIN
    PERFORM ops.mark_changes('records.articles', 'inputs', $$trading.note_input_changes('''articles''', 'knowledge_time', 'knowledge_time')$$);
    PERFORM ops.mark_changes(
        'records.corporate_actions', 'inputs', $$trading.note_input_changes('''actions''', 'knowledge_time', 'knowledge_time')$$
    );
END $do$;
CREATE TRIGGER inputs_truncate AFTER TRUNCATE ON records.articles
FOR EACH STATEMENT EXECUTE FUNCTION trading.note_truncated_inputs();
CREATE TRIGGER inputs_truncate AFTER TRUNCATE ON records.corporate_actions
FOR EACH STATEMENT EXECUTE FUNCTION trading.note_truncated_inputs();
