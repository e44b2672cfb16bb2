{#
    What the marts of the 4D view share. Their work is days of listings (`take_stale`); rows of level 1 add up those of all
    listings and stand under listing 0, so each stretch of work is one of listing 0 too.
#}
{% macro add_work_of_all_listings() -%}
    insert into work
    select 0, coalesce(lower(days), '-infinity'), coalesce(upper(days), 'infinity')
    from (
        select unnest(range_agg(daterange(nullif(first_day, '-infinity'), nullif(end_day, 'infinity')))) as days from work
    ) as merged;
    analyze work
{%- endmacro %}

{# Rows of level 2 on the days of `work` that this run does not work out: they are in the sums of level 1 as they are stored. #}
{% macro stored_beside_work() -%}
    select stored.*
    from {{ work() }} as work
    cross join
        lateral (
            select old_row.*
            from {{ this }} as old_row
            where old_row.level = 2 and old_row.day >= work.first_day and old_row.day < work.end_day
            order by old_row.day
        ) as stored
    where
        work.listing_id = 0
        and not exists (
            select 1
            from {{ work() }} as own
            where own.listing_id = stored.listing_id and stored.day >= own.first_day and stored.day < own.end_day
        )
{%- endmacro %}

{#
    Bars by listing, UTC day of their opening and source, with every version of them: what was known first counts, so that a
    revision makes nothing look ahead. The intervals of a listing are found by index: nobody writes all of them down.
#}
{% macro bars_by_source() -%}
    select
        versions.listing_id,
        cast(versions.open_time at time zone 'UTC' as date) as day,
        coalesce(fetches.source, 'unknown') as source,
        count(*) filter (where versions.is_current) as bars,
        count(distinct versions.fetch_id) as fetches,
        min(versions.knowledge_time) as first_knowledge_time,
        max(versions.knowledge_time) as knowledge_time
    from {{ work() }} as work
    cross join
        lateral (
            with recursive intervals as (
                (
                    select candles.interval
                    from {{ source('records', 'candles') }} as candles
                    where candles.listing_id = work.listing_id
                    order by candles.interval
                    limit 1
                )
                union all
                select (
                    select candles.interval
                    from {{ source('records', 'candles') }} as candles
                    where candles.listing_id = work.listing_id and candles.interval > intervals.interval
                    order by candles.interval
                    limit 1
                )
                from intervals
                where intervals.interval is not null
            )

            select intervals.interval
            from intervals
            where intervals.interval is not null
        ) as held
    cross join
        lateral (
            (
                select
                    candles.listing_id,
                    candles.open_time,
                    candles.knowledge_time,
                    candles.fetch_id,
                    true as is_current
                from {{ source('records', 'candles') }} as candles
                where
                    candles.listing_id = work.listing_id
                    and candles.interval = held.interval
                    and candles.open_time >= cast(work.first_day as timestamp) at time zone 'UTC'
                    and candles.open_time < cast(work.end_day as timestamp) at time zone 'UTC'
                order by candles.open_time
            )
            union all
            (
                select
                    revisions.listing_id,
                    revisions.open_time,
                    revisions.knowledge_time,
                    revisions.fetch_id,
                    false as is_current
                from records.candle_revisions as revisions
                where
                    revisions.listing_id = work.listing_id
                    and revisions.interval = held.interval
                    and revisions.open_time >= cast(work.first_day as timestamp) at time zone 'UTC'
                    and revisions.open_time < cast(work.end_day as timestamp) at time zone 'UTC'
                order by revisions.open_time
            )
        ) as versions
    left join rawsources.fetches as fetches on versions.fetch_id = fetches.fetch_id
    group by versions.listing_id, cast(versions.open_time at time zone 'UTC' as date), coalesce(fetches.source, 'unknown')
{%- endmacro %}
