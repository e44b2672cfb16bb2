-- depends: 0012.loaded_at

-- Two instants of a fetch. `fetched_at` is when its request was sent: what the answer says is final was so by then. What it shows for
-- the first time was known only once the whole answer had come.
ALTER TABLE rawsources.fetches
ADD COLUMN answered_at timestamptz; -- null: no answer, a file, or a fetch of before this column; then fetched_at stands for it

CREATE OR REPLACE FUNCTION records.known_from(
    series text, event_time timestamptz, recorded_at timestamptz, fetch_id bigint, knowledge_time timestamptz
) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN EXISTS (
            SELECT FROM records.observation_revisions AS older
            WHERE older.series = $1 AND older.event_time = $2 AND older.recorded_at < $3 AND older.fetch_id <> $4
        ) THEN greatest(
            $5,
            (SELECT coalesce(shown.answered_at, shown.fetched_at) FROM rawsources.fetches AS shown WHERE shown.fetch_id = $4)
        )
        ELSE $5
    END
$$;
