-- When the world could know a version of a value. What replaced another fetch's value was not known before the fetch that shows it:
-- its source's own rule ("every day at 16:00") speaks of the value that was given first.
CREATE FUNCTION records.known_from(
    series text, event_time timestamptz, recorded_at timestamptz, fetch_id bigint, knowledge_time timestamptz
) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN EXISTS (
            SELECT FROM records.observation_revisions AS older
            WHERE older.series = $1 AND older.event_time = $2 AND older.recorded_at < $3 AND older.fetch_id <> $4
        ) THEN greatest($5, (SELECT fetched_at FROM rawsources.fetches AS shown WHERE shown.fetch_id = $4))
        ELSE $5
    END
$$;

-- Every version of every value, each from the time at which it was known.
CREATE VIEW records.observation_versions AS
SELECT
    series,
    event_time,
    value,
    unit,
    vintage,
    CASE
        WHEN
            (series, event_time) IN (
                SELECT
                    revised.series,
                    revised.event_time
                FROM records.observation_revisions AS revised
            )
            THEN records.known_from(series, event_time, recorded_at, fetch_id, knowledge_time)
        ELSE knowledge_time -- nearly all: spared the look
    END AS knowledge_time,
    knowledge_basis,
    fetch_id,
    recorded_at
FROM (
    SELECT
        series,
        event_time,
        value,
        unit,
        vintage,
        knowledge_time,
        knowledge_basis,
        fetch_id,
        recorded_at
    FROM records.observations
    UNION ALL
    SELECT
        series,
        event_time,
        value,
        unit,
        vintage,
        knowledge_time,
        knowledge_basis,
        fetch_id,
        recorded_at
    FROM records.observation_revisions
) AS every;
