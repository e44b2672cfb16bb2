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
        ) as series
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
                    and candles.interval = series.interval
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
                    and revisions.interval = series.interval
                    and revisions.open_time >= cast(work.first_day as timestamp) at time zone 'UTC'
                    and revisions.open_time < cast(work.end_day as timestamp) at time zone 'UTC'
                order by revisions.open_time
            )
        ) as versions
    left join rawsources.fetches as fetches on versions.fetch_id = fetches.fetch_id
    group by versions.listing_id, cast(versions.open_time at time zone 'UTC' as date), coalesce(fetches.source, 'unknown')
{%- endmacro %}

{#
    When the first version of a cleaned bar was known: a revision makes nothing look ahead. Versions stand under the listing
    whose venue gave the bar, which is another one where `quoted_venue` is.
#}
{% macro first_known(bar) -%}
    least({{ bar }}.knowledge_time, (
        select min(revisions.knowledge_time)
        from {{ source('records', 'listings') }} as quoted
        inner join records.candle_revisions as revisions on quoted.listing_id = revisions.listing_id
        where
            quoted.venue = {{ bar }}.quoted_venue
            and quoted.symbol = {{ bar }}.symbol
            and revisions.interval = '1d'
            and revisions.open_time = {{ bar }}.open_time
    ))
{%- endmacro %}

{# Rows of features of the sessions of `work`. Decided after the session closed, some days later where the exchange was shut. #}
{% macro features_of_work() -%}
    select given.*
    from {{ work() }} as work
    inner join {{ source('features', 'daily') }} as given
        on
            work.listing_id = given.listing_id
            and given.decision_time >= cast(work.first_day - 2 as timestamp) at time zone 'UTC'
            and given.decision_time < cast(work.end_day + 14 as timestamp) at time zone 'UTC'
            and work.first_day <= given.session_date
            and work.end_day > given.session_date
{%- endmacro %}

{#
    Rows of features that read a bar which was known only after their decision. A row passes over such a bar and reads an older
    one instead (`predictor/provenance.py`), so that its window has `feature_sessions` bars that were known: with fewer it
    cannot have. Found from the late bars, of which there are few, and not from all bars of all windows.
#}
{% macro late_features(features) -%}
    select
        late.listing_id,
        late.decision_time
    from (
        select
            read_late.listing_id,
            read_late.decision_time,
            read_late.session_date,
            read_late.window_start,
            count(*) as late_bars
        from (
            select
                listing_id,
                min(window_start) as first_day,
                max(session_date) as last_day,
                min(decision_time) as decided_at
            from {{ features }}
            group by listing_id
        ) as spans
        cross join
            lateral (
                select
                    daily_bars.session_date,
                    {{ first_known('daily_bars') }} as known_at
                from {{ ref('daily_bars') }} as daily_bars
                where
                    daily_bars.listing_id = spans.listing_id
                    and daily_bars.session_date between spans.first_day and spans.last_day
                    and daily_bars.knowledge_time > spans.decided_at
                order by daily_bars.session_date
            ) as bars
        inner join {{ source('features', 'daily') }} as read_late
            on
                spans.listing_id = read_late.listing_id
                and read_late.decision_time >= cast(bars.session_date - 2 as timestamp) at time zone 'UTC'
                and bars.known_at > read_late.decision_time
                and bars.session_date <= read_late.session_date
                and bars.session_date >= read_late.window_start
        group by read_late.listing_id, read_late.decision_time, read_late.session_date, read_late.window_start
    ) as late
    where
        late.late_bars + {{ var('feature_sessions') }} > (
            select count(*)
            from {{ ref('daily_bars') }} as daily_bars
            where
                daily_bars.listing_id = late.listing_id
                and daily_bars.session_date between late.window_start and late.session_date
        )
{%- endmacro %}
