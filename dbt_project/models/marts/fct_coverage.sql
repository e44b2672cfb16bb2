-- Of the months that `work` names: those of days that changed, and of the days from the bar before them to the one after
-- them, since a listing's life reaches from its first bar to its last.
with lifetimes as (
    select
        work.listing_id,
        work.first_day,
        work.end_day,
        listings.venue,
        listings.symbol,
        listings.calendar,
        (
            select bars.session_date
            from {{ ref('daily_bars') }} as bars
            where bars.listing_id = work.listing_id
            order by bars.session_date
            limit 1
        ) as first_date,
        (
            select bars.session_date
            from {{ ref('daily_bars') }} as bars
            where bars.listing_id = work.listing_id
            order by bars.session_date desc
            limit 1
        ) as last_date
    from {{ work() }} as work
    inner join {{ ref('stg_records__listings') }} as listings on work.listing_id = listings.listing_id
),

stretches as (
    select
        *,
        greatest(first_day, first_date) as from_date,
        least(end_day, last_date + 1) as to_date
    from lifetimes
    where first_date < end_day and last_date >= first_day
),

bars as (
    select
        stretches.listing_id,
        given.session_date,
        given.replaced_cells
    from stretches
    cross join
        lateral (
            select
                daily_bars.session_date,
                daily_bars.replaced_cells
            from {{ ref('daily_bars') }} as daily_bars
            where
                daily_bars.listing_id = stretches.listing_id
                and daily_bars.session_date >= stretches.from_date
                and daily_bars.session_date < stretches.to_date
            order by daily_bars.session_date
        ) as given
),

gaps as (
    select
        stretches.listing_id,
        missing.gap_start,
        missing.gap_end,
        missing.cause
    from stretches
    inner join {{ ref('gaps') }} as missing
        on
            stretches.listing_id = missing.listing_id
            and missing.interval = '1d'
            and missing.gap_end >= cast(stretches.from_date - 1 as timestamp) at time zone 'UTC'
            and missing.gap_start < cast(stretches.to_date + 1 as timestamp) at time zone 'UTC'
),

conflicts as (
    select
        stretches.listing_id,
        cast(date_trunc('month', cast(disputes.session_date as timestamp)) as date) as month,
        cast(count(*) as integer) as price_conflicts
    from stretches
    inner join {{ ref('price_conflicts') }} as disputes
        on
            stretches.listing_id = disputes.market_id
            and stretches.from_date <= disputes.session_date
            and stretches.to_date > disputes.session_date
    group by stretches.listing_id, cast(date_trunc('month', cast(disputes.session_date as timestamp)) as date)
),

expected_days as (
    select
        stretches.*,
        sessions.session_date,
        sessions.open_time
    from stretches
    inner join {{ ref('stg_records__sessions') }} as sessions
        on
            stretches.calendar = sessions.calendar
            and stretches.from_date <= sessions.session_date
            and stretches.to_date > sessions.session_date

    union all

    select
        stretches.*,
        stretches.from_date + days_later.days_later as session_date,
        cast(stretches.from_date + days_later.days_later as timestamp) at time zone 'UTC' as open_time
    from stretches
    cross join lateral generate_series(0, stretches.to_date - stretches.from_date - 1) as days_later
    where stretches.calendar = '24/7'
),

expected as (
    select
        *,
        cast(date_trunc('month', cast(session_date as timestamp)) as date) as month
    from expected_days
),

counted as (
    select
        expected.listing_id,
        expected.venue,
        expected.symbol,
        expected.calendar,
        expected.month,
        cast(count(*) as integer) as sessions_expected,
        cast(count(bars.session_date) as integer) as bars_present,
        min(bars.session_date) as first_session_date,
        max(bars.session_date) as last_session_date,
        min(expected.session_date) filter (where bars.session_date is null) as first_missing_date,
        string_agg(distinct gaps.cause, ', ' order by gaps.cause) as missing_causes,
        cast(count(bars.replaced_cells) as integer) as bars_repaired
    from expected
    left join bars
        on
            expected.listing_id = bars.listing_id
            and expected.session_date = bars.session_date
    left join gaps
        on
            bars.session_date is null
            and expected.listing_id = gaps.listing_id
            and expected.open_time >= gaps.gap_start
            and expected.open_time < gaps.gap_end
    group by expected.listing_id, expected.venue, expected.symbol, expected.calendar, expected.month
)

select
    counted.listing_id,
    counted.venue,
    counted.symbol,
    counted.calendar,
    counted.month,
    counted.sessions_expected,
    counted.bars_present,
    counted.sessions_expected - counted.bars_present as bars_missing,
    cast(counted.bars_present as double precision) / counted.sessions_expected as share_present,
    counted.first_session_date,
    counted.last_session_date,
    counted.first_missing_date,
    counted.missing_causes,
    counted.bars_repaired,
    coalesce(conflicts.price_conflicts, 0) as price_conflicts
from counted
left join conflicts on counted.listing_id = conflicts.listing_id and counted.month = conflicts.month
