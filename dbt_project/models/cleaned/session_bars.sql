-- The venues of a market are worked out together: which bar is late depends on the others.
with members as (
    select
        work.listing_id,
        work.first_day,
        work.end_day,
        markets.market_id,
        markets.trust_rank,
        markets.calendar
    from {{ work() }} as work
    inner join {{ ref('markets') }} as markets on work.listing_id = markets.listing_id
),

-- A session may open the evening before its date and close the morning after. `offset 0` has the bars of each stretch
-- looked up by index, whatever the planner believes: after a first load there are no statistics to tell it.
candles as (
    select
        members.*,
        bars.*,
        cast(bars.open_time at time zone 'UTC' as date) as utc_date
    from members
    cross join
        lateral (
            select
                open_time,
                close_time,
                open,
                high,
                low,
                close,
                volume,
                knowledge_time,
                fetch_id,
                recorded_at
            from {{ ref('stg_records__candles') }} as candles
            where
                candles.listing_id = members.listing_id
                and candles.bar_interval = '1d'
                and candles.open_time >= cast(members.first_day - 1 as timestamp) at time zone 'UTC'
                and candles.open_time < cast(members.end_day + 1 as timestamp) at time zone 'UTC'
            offset 0
        ) as bars
),

stretches as (
    select distinct
        calendar,
        first_day,
        end_day
    from members
),

-- By the days of UTC a session touches, so that bars find theirs by equality: New York's is one day, Chicago's two.
session_days as materialized (
    select distinct
        sessions.*,
        cast(sessions.open_time at time zone 'UTC' as date) + days_later.days_later as utc_date
    from stretches
    inner join {{ ref('stg_records__sessions') }} as sessions
        on
            stretches.calendar = sessions.calendar
            and stretches.first_day <= sessions.session_date
            and stretches.end_day > sessions.session_date
    cross join lateral generate_series(
        0, cast(sessions.close_time at time zone 'UTC' as date) - cast(sessions.open_time at time zone 'UTC' as date)
    ) as days_later
),

placed as (
    select
        candles.*,
        session_days.session_date,
        session_days.is_half_day
    from candles
    inner join session_days
        on
            candles.calendar = session_days.calendar
            and candles.utc_date = session_days.utc_date
            and candles.open_time >= session_days.open_time
            and candles.open_time < session_days.close_time

    union all

    select
        *,
        utc_date as session_date,
        false as is_half_day
    from candles
    where calendar = '24/7'
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
        knowledge_time,
        fetch_id,
        recorded_at
    from placed
    where session_date >= first_day and session_date < end_day
    order by listing_id asc, session_date asc, knowledge_time asc, open_time asc
)

select
    *,
    knowledge_time > min(knowledge_time) over (partition by market_id, session_date) as is_late
from bars
