-- depends: 0010.sizes

-- When the rows of a body were stored. The newest is the least that a later load may use, whatever the machine's clock says.
ALTER TABLE records.parses
ADD COLUMN recorded_at timestamptz; -- the newest of the rows that its batch stored
CREATE INDEX ON records.parses (recorded_at);
UPDATE records.parses SET recorded_at = newest.recorded_at
FROM (
    SELECT max(stored.recorded_at) AS recorded_at
    FROM (
        SELECT max(recorded_at) AS recorded_at FROM records.candles
        UNION ALL
        SELECT max(superseded_at) AS recorded_at FROM records.candle_revisions
        UNION ALL
        SELECT max(recorded_at) AS recorded_at FROM records.trades
        UNION ALL
        SELECT max(superseded_at) AS recorded_at FROM records.trade_revisions
        UNION ALL
        SELECT max(recorded_at) AS recorded_at FROM records.observations
        UNION ALL
        SELECT max(superseded_at) AS recorded_at FROM records.observation_revisions
        UNION ALL
        SELECT max(recorded_at) AS recorded_at FROM records.corporate_actions
        UNION ALL
        SELECT max(superseded_at) AS recorded_at FROM records.corporate_action_revisions
        UNION ALL
        SELECT max(recorded_at) AS recorded_at FROM records.articles
        UNION ALL
        SELECT max(superseded_at) AS recorded_at FROM records.article_revisions
        UNION ALL
        SELECT max(recorded_at) AS recorded_at FROM records.documents
        UNION ALL
        SELECT max(superseded_at) AS recorded_at FROM records.document_revisions
    ) AS stored
) AS newest;

-- Parsing a body anew looks for the old versions that came from it.
CREATE INDEX ON records.candle_revisions (fetch_id);
CREATE INDEX ON records.trade_revisions (fetch_id);
CREATE INDEX ON records.observation_revisions (fetch_id);
CREATE INDEX ON records.corporate_action_revisions (fetch_id);
CREATE INDEX ON records.article_revisions (fetch_id);
CREATE INDEX ON records.document_revisions (fetch_id);
