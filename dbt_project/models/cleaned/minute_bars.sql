with markets as (
    select * from {{ ref('markets') }}
),

sessions as (
    select * from {{ ref('stg_records__sessions') }}
),

candles as (
    select * from {{ ref('stg_records__candles') }}
    where bar_interval = '1m'
)

select
    candles.listing_id,
    markets.venue,
    markets.symbol,
    coalesce(sessions.session_date, cast(candles.open_time at time zone 'UTC' as date)) as session_date,
    candles.open_time,
    candles.close_time,
    candles.open,
    candles.high,
    candles.low,
    candles.close,
    candles.volume,
    candles.quote_volume,
    candles.trade_count,
    markets.currency,
    candles.knowledge_time,
    candles.fetch_id,
    candles.recorded_at
from candles
inner join markets on candles.listing_id = markets.listing_id
left join sessions
    on
        markets.calendar = sessions.calendar
        and candles.open_time >= sessions.open_time
        and candles.open_time < sessions.close_time
where markets.calendar = '24/7' or sessions.session_date is not null
