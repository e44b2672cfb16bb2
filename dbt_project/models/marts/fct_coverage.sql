with bars as (
    select * from {{ ref('daily_bars') }}
),

listings as (
    select * from {{ ref('stg_records__listings') }}
),

sessions as (
    select * from {{ ref('stg_records__sessions') }}
),

gaps as (
    select * from {{ ref('gaps') }}
    where interval = '1d'
),

conflicts as (
    select
        market_id,
        cast(date_trunc('month', cast(session_date as timestamp)) as date) as month,
        cast(count(*) as integer) as price_conflicts
    from {{ ref('price_conflicts') }}
    group by market_id, cast(date_trunc('month', cast(session_date as timestamp)) as date)
),

lifetimes as (
    select
        bars.listing_id,
        listings.venue,
        listings.symbol,
        listings.calendar,
        min(bars.session_date) as first_date,
        max(bars.session_date) as last_date
    from bars
    inner join listings on bars.listing_id = listings.listing_id
    group by bars.listing_id, listings.venue, listings.symbol, listings.calendar
),

expected_days as (
    select
        lifetimes.*,
        sessions.session_date,
        sessions.open_time
    from lifetimes
    inner join sessions
        on
            lifetimes.calendar = sessions.calendar
            and sessions.session_date between lifetimes.first_date and lifetimes.last_date

    union all

    select
        lifetimes.*,
        lifetimes.first_date + days_later.days_later as session_date,
        cast(lifetimes.first_date + days_later.days_later as timestamp) at time zone 'UTC' as open_time
    from lifetimes
    cross join lateral generate_series(0, lifetimes.last_date - lifetimes.first_date) as days_later
    where lifetimes.calendar = '24/7'
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
left join conflicts on counted.listing_id = conflicts.market_id and counted.month = conflicts.month
