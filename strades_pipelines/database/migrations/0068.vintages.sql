-- depends: 0067.host_limits 0014.answered_at

-- A version whose source states its vintage was known then, whichever answer of that source brought it: the answers repeat all
-- vintages, and one that is fetched years later does not make an old vintage younger.
CREATE OR REPLACE FUNCTION records.known_from(
    series text, event_time timestamptz, recorded_at timestamptz, fetch_id bigint, knowledge_time timestamptz
) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN EXISTS (
            SELECT FROM records.observation_revisions AS older
            WHERE older.series = $1 AND older.event_time = $2 AND older.recorded_at < $3 AND older.fetch_id <> $4
        ) AND NOT EXISTS (
            SELECT FROM records.observations AS stated
            WHERE stated.series = $1 AND stated.event_time = $2 AND stated.recorded_at = $3 AND stated.vintage IS NOT NULL
            UNION ALL
            SELECT FROM records.observation_revisions AS stated
            WHERE stated.series = $1 AND stated.event_time = $2 AND stated.recorded_at = $3 AND stated.vintage IS NOT NULL
        ) THEN greatest(
            $5,
            (SELECT coalesce(shown.answered_at, shown.fetched_at) FROM rawsources.fetches AS shown WHERE shown.fetch_id = $4)
        )
        ELSE $5
    END
$$;
