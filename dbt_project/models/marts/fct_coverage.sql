with bars as (
    select * from {{ ref('daily_bars') }}
),

listings as (
    select * from {{ ref('stg_records__listings') }}
),

sessions as (
    select * from {{ ref('stg_records__sessions') }}
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
        sessions.session_date
    from lifetimes
    inner join sessions
        on
            lifetimes.calendar = sessions.calendar
            and sessions.session_date between lifetimes.first_date and lifetimes.last_date

    union all

    select
        lifetimes.*,
        lifetimes.first_date + days_later.days_later as session_date
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
        min(expected.session_date) filter (where bars.session_date is null) as first_missing_date
    from expected
    left join bars
        on
            expected.listing_id = bars.listing_id
            and expected.session_date = bars.session_date
    group by expected.listing_id, expected.venue, expected.symbol, expected.calendar, expected.month
)

select
    listing_id,
    venue,
    symbol,
    calendar,
    month,
    sessions_expected,
    bars_present,
    sessions_expected - bars_present as bars_missing,
    cast(bars_present as double precision) / sessions_expected as share_present,
    first_session_date,
    last_session_date,
    first_missing_date
from counted
