-- depends: 0014.answered_at

-- When the world could know the words of an article. Where its publisher shows other words than before and states no later time for them,
-- they were not there when the words before were asked for: they are known from the answer that shows them.
CREATE FUNCTION records.article_known_from(
    source text, article_id text, recorded_at timestamptz, fetch_id bigint, knowledge_time timestamptz
) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN EXISTS (
            SELECT FROM records.article_revisions AS older
            INNER JOIN rawsources.fetches AS asked ON asked.fetch_id = older.fetch_id
            WHERE older.source = $1 AND older.article_id = $2 AND older.recorded_at < $3 AND older.fetch_id <> $4
            AND asked.fetched_at >= $5
        ) THEN greatest(
            $5,
            (SELECT coalesce(shown.answered_at, shown.fetched_at) FROM rawsources.fetches AS shown WHERE shown.fetch_id = $4)
        )
        ELSE $5
    END
$$;
