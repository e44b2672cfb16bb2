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

-- A session may open the evening before its date and close the morning after. `order by` and `limit 1` have the bars of
-- each stretch, and the session of each bar, looked up by index, whatever the planner believes: it has no statistics of
-- what was just loaded.
candles as (
    select
        members.*,
        bars.*,
        cast(bars.open_time at time zone 'UTC' as date) as utc_date
    from members
    cross join
        lateral (
            select
                given.open_time,
                given.close_time,
                given.open,
                given.high,
                given.low,
                given.close,
                given.volume,
                given.split_ratio,
                given.knowledge_time,
                given.fetch_id,
                given.recorded_at
            from {{ ref('stg_records__candles') }} as given
            where
                given.listing_id = members.listing_id
                and given.bar_interval = '1d'
                and given.open_time >= cast(members.first_day - 1 as timestamp) at time zone 'UTC'
                and given.open_time < cast(members.end_day + 1 as timestamp) at time zone 'UTC'
            order by given.open_time
        ) as bars
),

placed as (
    select
        candles.*,
        session.session_date,
        session.is_half_day
    from candles
    cross join
        lateral (
            select
                sessions.session_date,
                sessions.is_half_day
            from {{ ref('stg_records__sessions') }} as sessions
            where
                sessions.calendar = candles.calendar
                and sessions.session_date between candles.utc_date - 1 and candles.utc_date + 1
                and sessions.open_time <= candles.open_time
                and sessions.close_time > candles.open_time
            order by sessions.session_date
            limit 1
        ) as session

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
        split_ratio,
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
