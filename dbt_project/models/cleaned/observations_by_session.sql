-- Each value is looked up by index when it is asked for: as a table this would be a row for each of all sessions and series.
-- The versions that a source has replaced are no asset of their own, so they are named plainly. A correction is known from
-- the answer that shows it. What is left out now is left out of all sessions. A series begins with its oldest version: of one
-- with vintages the newest ones were known long after the first.
with series as not materialized (
    select
        versions.series,
        min(versions.knowledge_time) as first_known,
        max(versions.recorded_at) as last_recorded
    from (
        select
            series,
            knowledge_time,
            recorded_at
        from {{ source('records', 'observations') }}
        union all
        select
            series,
            knowledge_time,
            recorded_at
        from records.observation_revisions
    ) as versions
    group by versions.series
),

closes as (
    select
        series.series,
        sessions.calendar,
        sessions.session_date,
        sessions.close_time
    from series
    inner join {{ ref('stg_records__sessions') }} as sessions
        on sessions.close_time between series.first_known and series.last_recorded

    union all

    select
        series.series,
        '24/7' as calendar,
        cast(days.day as date) as session_date,
        (days.day + interval '1 day') at time zone 'UTC' as close_time
    from series
    cross join
        lateral generate_series(
            date_trunc('day', series.first_known at time zone 'UTC') - interval '1 day',
            series.last_recorded at time zone 'UTC',
            interval '1 day'
        ) as days (day)
    where (days.day + interval '1 day') at time zone 'UTC' between series.first_known and series.last_recorded
)

select
    closes.calendar,
    closes.session_date,
    closes.series,
    closes.close_time as session_close_time,
    newest.event_time,
    newest.value,
    newest.unit,
    newest.vintage,
    newest.knowledge_time,
    newest.knowledge_basis,
    newest.fetch_id,
    newest.recorded_at
from closes
cross join lateral ( -- noqa: ST05
    select *
    from (
        (
            select
                current_versions.event_time,
                current_versions.value,
                current_versions.unit,
                current_versions.vintage,
                current_versions_known.known_from as knowledge_time,
                current_versions.knowledge_basis,
                current_versions.fetch_id,
                current_versions.recorded_at
            from {{ source('records', 'observations') }} as current_versions
            cross join
                lateral records.known_from(
                    current_versions.series,
                    current_versions.event_time,
                    current_versions.recorded_at,
                    current_versions.fetch_id,
                    current_versions.knowledge_time
                ) as current_versions_known (known_from)
            where
                current_versions.series = closes.series
                and current_versions.event_time <= closes.close_time -- so that the index is entered there
                and current_versions.knowledge_time <= closes.close_time
                and current_versions_known.known_from <= closes.close_time
            order by current_versions.event_time desc
            limit 1
        )
        union all
        (
            select
                old_versions.event_time,
                old_versions.value,
                old_versions.unit,
                old_versions.vintage,
                old_versions_known.known_from as knowledge_time,
                old_versions.knowledge_basis,
                old_versions.fetch_id,
                old_versions.recorded_at
            from records.observation_revisions as old_versions
            cross join
                lateral records.known_from(
                    old_versions.series,
                    old_versions.event_time,
                    old_versions.recorded_at,
                    old_versions.fetch_id,
                    old_versions.knowledge_time
                ) as old_versions_known (known_from)
            where
                old_versions.series = closes.series
                and old_versions.event_time <= closes.close_time
                and old_versions.knowledge_time <= closes.close_time
                and old_versions_known.known_from <= closes.close_time
                and not records.was_excluded(
                    'observations',
                    array[old_versions.series, cast(old_versions.event_time at time zone 'UTC' as text) || '+00'],
                    'infinity' -- the newest mark: a sandbox's clock is not the machine's
                )
            order by old_versions.event_time desc, old_versions_known.known_from desc, old_versions.recorded_at desc
            limit 1
        )
    ) as versions
    order by event_time desc, knowledge_time desc, recorded_at desc
    limit 1
) as newest
