-- What is missing is worked out from `since` on, of the series that have work: whatever changed a series lies after it, and
-- no gap that is stored begins before it and ends after it. Ranges of time are added and taken away as sets; a bar stands for
-- its slot: a day up to the next session's open, or its own length.
-- The logs of fetching and reading are no assets of their own, so they are named plainly.
with series as (
    select
        bar_series.listing_id,
        bar_series.interval,
        bar_series.source,
        bar_series.starts_at,
        coalesce(bar_series.ends_at, 'infinity') as ends_at,
        make_interval(secs => bar_series.step_seconds) as step,
        make_interval(secs => bar_series.reach_seconds) as reach,
        make_interval(secs => bar_series.lag_seconds) as lag,
        markets.symbol,
        markets.calendar,
        work.since
    from {{ work() }} as work
    inner join {{ source('records', 'bar_series') }} as bar_series
        on
            work.listing_id = bar_series.listing_id
            and work.interval = bar_series.interval
    inner join {{ ref('markets') }} as markets on bar_series.listing_id = markets.listing_id
),

-- `materialized` has each of these worked out once: without statistics the planner would do it again for each series.
-- The attempts that asked for its own symbol, and those that asked for all that a source has. Each by an index.
asked as (
    select
        series.listing_id,
        series.interval,
        attempts.window_start,
        attempts.outcome <> 'failed' and coalesce(parses.outcome, 'parsed') = 'parsed' as is_answered,
        coalesce(parses.rejects, 0) > 0 as has_rejects,
        tstzrange(
            coalesce(attempts.window_start, '-infinity'),
            greatest(
                coalesce(attempts.window_start, '-infinity'),
                least(attempts.window_end, attempts.fetched_at - series.lag)
            )
        ) as span
    from series
    cross join
        lateral (
            select fetches.*
            from rawsources.fetches as fetches
            where
                fetches.source = series.source
                and fetches.given ->> 'symbol' = series.symbol
                and fetches.window_end > series.since

            union all

            select fetches.*
            from rawsources.fetches as fetches
            where
                fetches.source = series.source
                and fetches.given ->> 'symbol' = series.symbol
                and fetches.window_end is null

            union all

            select fetches.*
            from rawsources.fetches as fetches
            where
                fetches.source = series.source
                and fetches.given ->> 'symbol' is null
                and (fetches.window_end > series.since or fetches.window_end is null)
        ) as attempts
    left join records.parses as parses on attempts.fetch_id = parses.fetch_id
    where coalesce(attempts.given ->> 'interval', series.interval) = series.interval
),

answers as materialized (
    select
        listing_id,
        interval,
        bool_or(is_answered and window_start is null) as has_whole_answer,
        coalesce(range_agg(span) filter (where is_answered), '{}') as answered,
        coalesce(range_agg(span) filter (where is_answered and not has_rejects), '{}') as clean,
        coalesce(range_agg(span) filter (where not is_answered), '{}') as failed
    from asked
    group by listing_id, interval
),

-- Whatever it asked for: by its time, all that was over is known to be there or missing.
last_asked as materialized (
    select
        series.listing_id,
        series.interval,
        max(newest.fetched_at) as last_asked_at,
        max(newest.fetched_at - series.lag) as horizon
    from series
    cross join
        lateral (
            (
                select fetches.fetched_at
                from rawsources.fetches as fetches
                where
                    fetches.source = series.source
                    and fetches.given ->> 'symbol' = series.symbol
                    and coalesce(fetches.given ->> 'interval', series.interval) = series.interval
                order by fetches.fetched_at desc
                limit 1
            )

            union all

            (
                select fetches.fetched_at
                from rawsources.fetches as fetches
                where
                    fetches.source = series.source
                    and fetches.given ->> 'symbol' is null
                    and coalesce(fetches.given ->> 'interval', series.interval) = series.interval
                order by fetches.fetched_at desc
                limit 1
            )
        ) as newest
    group by series.listing_id, series.interval
),

lives as materialized (
    select
        series.listing_id,
        series.interval,
        series.calendar,
        series.step,
        series.since,
        coalesce(answers.has_whole_answer, false) as has_whole_answer,
        coalesce(answers.answered, '{}') as answered,
        coalesce(answers.clean, '{}') as clean,
        coalesce(answers.failed, '{}') as failed,
        min(series.starts_at) as starts_at,
        least(max(series.ends_at), last_asked.horizon) as ends_at,
        coalesce(last_asked.last_asked_at - max(series.reach), '-infinity') as reach_start
    from series
    inner join last_asked on series.listing_id = last_asked.listing_id and series.interval = last_asked.interval
    left join answers on series.listing_id = answers.listing_id and series.interval = answers.interval
    group by
        series.listing_id, series.interval, series.calendar, series.step, series.since, answers.has_whole_answer,
        answers.answered, answers.clean, answers.failed, last_asked.horizon, last_asked.last_asked_at
),

-- Daily bars of venues that close: their slots are the sessions that were over.
daily_slots as materialized (
    select
        lives.listing_id,
        lives.interval,
        sessions.session_date,
        sessions.open_time,
        sessions.close_time,
        sessions.next_open_time
    from lives
    cross join
        lateral (
            select
                days.*,
                coalesce(lead(days.open_time) over (order by days.session_date), days.close_time) as next_open_time
            from {{ ref('stg_records__sessions') }} as days
            where
                days.calendar = lives.calendar
                -- A session opens a day before its date at the earliest, and the last of all has no next one.
                and days.session_date >= greatest(cast(lives.since as date), cast(lives.starts_at as date)) - 1
        ) as sessions
    where
        lives.interval = '1d'
        and sessions.open_time >= greatest(lives.starts_at, lives.since)
        and sessions.close_time <= lives.ends_at
),

expected as materialized (
    select
        listing_id,
        interval,
        range_agg(tstzrange(open_time, next_open_time)) as slots
    from daily_slots
    group by listing_id, interval

    union all

    select
        lives.listing_id,
        lives.interval,
        range_agg(
            tstzrange(
                hours.opens,
                greatest(hours.opens, date_bin(lives.step, least(hours.closes, lives.ends_at), hours.opens))
            )
        ) as slots
    from lives
    inner join {{ ref('stg_records__sessions') }} as sessions
        on
            lives.calendar = sessions.calendar
            and lives.starts_at <= sessions.open_time
            and lives.ends_at > sessions.open_time
            and sessions.session_date >= cast(lives.since as date) - 1
    -- A session with a lunch break is two stretches, each counted from where it begins.
    cross join
        lateral (
            values
            (sessions.open_time, coalesce(sessions.break_start, sessions.close_time)),
            (sessions.break_end, sessions.close_time)
        ) as hours (opens, closes)
    where lives.interval <> '1d' and hours.opens is not null
    group by lives.listing_id, lives.interval

    union all

    select
        listing_id,
        interval,
        tstzmultirange(
            tstzrange(
                date_bin(step, greatest(starts_at, since), 'epoch'),
                greatest(date_bin(step, greatest(starts_at, since), 'epoch'), date_bin(step, ends_at, 'epoch'))
            )
        ) as slots
    from lives
    where calendar = '24/7'
),

present as materialized (
    select
        daily_slots.listing_id,
        daily_slots.interval,
        range_agg(tstzrange(daily_slots.open_time, daily_slots.next_open_time)) as slots
    from daily_slots
    inner join {{ ref('session_bars') }} as bars
        on
            daily_slots.listing_id = bars.listing_id
            and daily_slots.session_date = bars.session_date
    group by daily_slots.listing_id, daily_slots.interval

    union all

    select
        lives.listing_id,
        lives.interval,
        range_agg(tstzrange(candles.open_time, candles.close_time)) as slots
    from lives
    cross join
        lateral (
            select
                given.open_time,
                given.close_time
            from {{ ref('stg_records__candles') }} as given
            where
                given.listing_id = lives.listing_id
                and given.bar_interval = lives.interval
                and given.open_time >= lives.since - lives.step
            order by given.open_time
        ) as candles
    where lives.interval <> '1d' or lives.calendar = '24/7'
    group by lives.listing_id, lives.interval
),

-- Slots of bars that somebody left out: they were there, and nobody has to fetch them.
excluded as materialized (
    select
        lives.listing_id,
        lives.interval,
        range_agg(
            tstzrange(
                coalesce(daily_slots.open_time, marks.open_time),
                coalesce(daily_slots.next_open_time, marks.open_time + lives.step)
            )
        ) as slots
    from lives
    cross join
        lateral (
            select cast(spans.key[3] as timestamptz) as open_time
            from records.exclusion_spans as spans
            where
                spans.relation = 'candles'
                and spans.excluded_until is null
                and spans.key[1] = cast(lives.listing_id as text)
                and spans.key[2] = lives.interval
        ) as marks
    left join daily_slots
        on
            lives.listing_id = daily_slots.listing_id
            and lives.interval = daily_slots.interval
            and marks.open_time >= daily_slots.open_time
            and marks.open_time < daily_slots.next_open_time
    group by lives.listing_id, lives.interval
),

-- When the first bar of a series opened that it asks for.
firsts as materialized (
    select
        lives.listing_id,
        lives.interval,
        first_bar.open_time
    from lives
    cross join
        lateral (
            select sessions.open_time
            from {{ ref('session_bars') }} as bars
            inner join {{ ref('stg_records__sessions') }} as sessions on bars.session_date = sessions.session_date
            where
                bars.listing_id = lives.listing_id
                and sessions.calendar = lives.calendar
                and bars.session_date >= cast(lives.starts_at as date) - 1
                and sessions.open_time >= lives.starts_at
                and sessions.close_time <= lives.ends_at
            order by bars.session_date
            limit 1
        ) as first_bar
    where lives.interval = '1d' and lives.calendar <> '24/7'

    union all

    select
        lives.listing_id,
        lives.interval,
        first_bar.open_time
    from lives
    cross join
        lateral (
            select given.open_time
            from {{ ref('stg_records__candles') }} as given
            where
                given.listing_id = lives.listing_id
                and given.bar_interval = lives.interval
            order by given.open_time
            limit 1
        ) as first_bar
    where lives.interval <> '1d' or lives.calendar = '24/7'
),

holes as (
    select
        lives.*,
        tstzmultirange(tstzrange(lives.since, 'infinity'))
        * (expected.slots - coalesce(present.slots, '{}') - coalesce(excluded.slots, '{}')) as missing,
        tstzmultirange(tstzrange(lives.since, 'infinity'))
        * (expected.slots - coalesce(present.slots, '{}')) * coalesce(excluded.slots, '{}') as left_out,
        -- An answer without a window is all its source shows; what is before the first bar of it is out of reach.
        tstzmultirange(
            tstzrange('-infinity', case when lives.has_whole_answer then coalesce(firsts.open_time, lives.ends_at) else lives.reach_start end)
        ) as out_of_reach,
        tstzmultirange(tstzrange('-infinity', coalesce(firsts.open_time, '-infinity'))) as before_first
    from lives
    inner join expected using (listing_id, interval)
    left join present using (listing_id, interval)
    left join excluded using (listing_id, interval)
    left join firsts using (listing_id, interval)
),

-- Of a hole: what answers said nothing about, what no answer could show, and what nobody answered.
told as (
    select
        *,
        missing * answered - case when has_whole_answer then out_of_reach else '{}' end as silent,
        missing * case when has_whole_answer then out_of_reach else '{}' end as unshown,
        missing - answered as unanswered
    from holes
),

pieces as (
    select
        told.listing_id,
        told.interval,
        told.calendar,
        told.step,
        causes.cause,
        unnest(causes.spans) as span
    from told
    cross join
        lateral (
            values
            ('before_listing_start', told.silent * told.before_first),
            ('no_trades', (told.silent - told.before_first) * told.clean),
            ('rows_refused', told.silent - told.before_first - told.clean),
            ('fetch_failed', told.unanswered * told.failed - told.unshown),
            ('beyond_reach', told.unshown + (told.unanswered - told.failed) * told.out_of_reach),
            ('not_fetched', told.unanswered - told.failed - told.out_of_reach),
            ('excluded', told.left_out)
        ) as causes (cause, spans)
),

edges as (
    select
        *,
        date_bin(step, lower(span) + step - interval '1 microsecond', 'epoch') as first_open,
        date_bin(step, upper(span) + step - interval '1 microsecond', 'epoch') as last_close
    from pieces
    where interval <> '1d' or calendar = '24/7'
),

-- A slot belongs to the piece that its opening is in.
counted as (
    select
        pieces.listing_id,
        pieces.interval,
        pieces.cause,
        min(daily_slots.open_time) as gap_start,
        max(daily_slots.close_time) as gap_end,
        count(*) as missing
    from pieces
    inner join daily_slots
        on
            pieces.listing_id = daily_slots.listing_id
            and pieces.interval = daily_slots.interval
            and pieces.span @> daily_slots.open_time
    group by pieces.listing_id, pieces.interval, pieces.cause, pieces.span

    union all

    select
        listing_id,
        interval,
        cause,
        first_open as gap_start,
        last_close as gap_end,
        cast(extract(epoch from last_close - first_open) / extract(epoch from step) as bigint) as missing
    from edges
    where last_close > first_open
)

select
    listing_id,
    interval,
    gap_start,
    gap_end,
    missing,
    cause
from counted
