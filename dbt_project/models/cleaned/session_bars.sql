with markets as (
    select * from {{ ref('markets') }}
),

sessions as (
    select * from {{ ref('stg_records__sessions') }}
),

candles as (
    select
        *,
        cast(open_time at time zone 'UTC' as date) as utc_date
    from {{ ref('stg_records__candles') }}
    where bar_interval = '1d'
),

-- By the days of UTC a session touches, so that bars find theirs by equality: New York's is one day, Chicago's two.
-- `materialized` keeps the planner from joining by ranges first: after a first load there are no statistics to tell it.
session_days as materialized (
    select
        sessions.*,
        cast(sessions.open_time at time zone 'UTC' as date) + days_later.days_later as utc_date
    from sessions
    cross join lateral generate_series(
        0, cast(sessions.close_time at time zone 'UTC' as date) - cast(sessions.open_time at time zone 'UTC' as date)
    ) as days_later
),

placed as (
    select
        candles.*,
        markets.market_id,
        markets.trust_rank,
        session_days.session_date,
        session_days.is_half_day
    from candles
    inner join markets on candles.listing_id = markets.listing_id
    inner join session_days
        on
            markets.calendar = session_days.calendar
            and candles.utc_date = session_days.utc_date
            and candles.open_time >= session_days.open_time
            and candles.open_time < session_days.close_time

    union all

    select
        candles.*,
        markets.market_id,
        markets.trust_rank,
        candles.utc_date as session_date,
        false as is_half_day
    from candles
    inner join markets on candles.listing_id = markets.listing_id
    where markets.calendar = '24/7'
),

-- Of two bars of a session the first known counts: at its close the other was not there.
bars as (
    select distinct on (listing_id, session_date)
        listing_id,
        session_date,
        market_id,
        trust_rank,
        is_half_day,
        open_time,
        close_time,
        open,
        high,
        low,
        close,
        volume,
        split_ratio,
        knowledge_time,
        fetch_id,
        recorded_at
    from placed
    order by listing_id asc, session_date asc, knowledge_time asc, open_time asc
)

select
    *,
    knowledge_time > min(knowledge_time) over (partition by market_id, session_date) as is_late
from bars
