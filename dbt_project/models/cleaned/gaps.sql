-- What is missing is a matter of all of time: each run works it out whole and writes what changed. Ranges of time are
-- added and taken away as sets; a bar stands for its slot: a day up to the next session's open, or its own length.
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
        markets.calendar
    from {{ source('records', 'bar_series') }} as bar_series
    inner join {{ ref('markets') }} as markets on bar_series.listing_id = markets.listing_id
),

asked as (
    select
        series.listing_id,
        series.interval,
        fetches.window_start,
        fetches.outcome <> 'failed' and coalesce(parses.outcome, 'parsed') = 'parsed' as is_answered,
        coalesce(parses.rejects, 0) > 0 as has_rejects,
        fetches.fetched_at,
        fetches.fetched_at - series.lag as settled_until,
        tstzrange(
            coalesce(fetches.window_start, '-infinity'),
            greatest(
                coalesce(fetches.window_start, '-infinity'),
                least(fetches.window_end, fetches.fetched_at - series.lag)
            )
        ) as span
    from series
    inner join rawsources.fetches as fetches
        on
            series.source = fetches.source
            and coalesce(fetches.given ->> 'symbol', series.symbol) = series.symbol
            and coalesce(fetches.given ->> 'interval', series.interval) = series.interval
    left join records.parses as parses on fetches.fetch_id = parses.fetch_id
),

answers as (
    select
        listing_id,
        interval,
        max(fetched_at) as last_asked_at,
        max(settled_until) as horizon,
        bool_or(is_answered and window_start is null) as has_whole_answer,
        coalesce(range_agg(span) filter (where is_answered), '{}') as answered,
        coalesce(range_agg(span) filter (where is_answered and not has_rejects), '{}') as clean,
        coalesce(range_agg(span) filter (where not is_answered), '{}') as failed
    from asked
    group by listing_id, interval
),

lives as (
    select
        series.listing_id,
        series.interval,
        series.calendar,
        series.step,
        answers.has_whole_answer,
        answers.answered,
        answers.clean,
        answers.failed,
        min(series.starts_at) as starts_at,
        least(max(series.ends_at), answers.horizon) as ends_at,
        coalesce(answers.last_asked_at - max(series.reach), '-infinity') as reach_start
    from series
    inner join answers on series.listing_id = answers.listing_id and series.interval = answers.interval
    group by
        series.listing_id, series.interval, series.calendar, series.step, answers.has_whole_answer, answers.answered,
        answers.clean, answers.failed, answers.horizon, answers.last_asked_at
),

sessions as (
    select
        *,
        coalesce(lead(open_time) over (partition by calendar order by session_date), close_time) as next_open_time
    from {{ ref('stg_records__sessions') }}
),

-- Daily bars of venues that close: their slots are the sessions that were over.
daily_slots as (
    select
        lives.listing_id,
        lives.interval,
        sessions.session_date,
        sessions.open_time,
        sessions.close_time,
        sessions.next_open_time
    from lives
    inner join sessions
        on
            lives.calendar = sessions.calendar
            and lives.starts_at <= sessions.open_time
            and lives.ends_at >= sessions.close_time
    where lives.interval = '1d'
),

expected as (
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
                sessions.open_time,
                greatest(sessions.open_time, date_bin(lives.step, least(sessions.close_time, lives.ends_at), sessions.open_time))
            )
        ) as slots
    from lives
    inner join sessions
        on
            lives.calendar = sessions.calendar
            and lives.starts_at <= sessions.open_time
            and lives.ends_at > sessions.open_time
    where lives.interval <> '1d'
    group by lives.listing_id, lives.interval

    union all

    select
        listing_id,
        interval,
        tstzmultirange(
            tstzrange(
                date_bin(step, starts_at, 'epoch'),
                greatest(date_bin(step, starts_at, 'epoch'), date_bin(step, ends_at, 'epoch'))
            )
        ) as slots
    from lives
    where calendar = '24/7'
),

present as (
    select
        daily_slots.listing_id,
        daily_slots.interval,
        range_agg(tstzrange(daily_slots.open_time, daily_slots.next_open_time)) as slots,
        min(daily_slots.open_time) as first_open_time
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
        range_agg(tstzrange(candles.open_time, candles.close_time)) as slots,
        min(candles.open_time) as first_open_time
    from lives
    inner join {{ ref('stg_records__candles') }} as candles
        on
            lives.listing_id = candles.listing_id
            and lives.interval = candles.bar_interval
    where lives.interval <> '1d' or lives.calendar = '24/7'
    group by lives.listing_id, lives.interval
),

holes as (
    select
        lives.*,
        expected.slots - coalesce(present.slots, '{}') as missing,
        -- An answer without a window is all its source shows; what is before the first bar of it is out of reach.
        tstzmultirange(
            tstzrange(
                '-infinity', case when lives.has_whole_answer then coalesce(present.first_open_time, lives.ends_at) else lives.reach_start end
            )
        ) as out_of_reach,
        tstzmultirange(tstzrange('-infinity', coalesce(present.first_open_time, '-infinity'))) as before_first
    from lives
    inner join expected using (listing_id, interval)
    left join present using (listing_id, interval)
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
            ('not_fetched', told.unanswered - told.failed - told.out_of_reach)
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
