with source as (
    select * from {{ source('records', 'candles') }}
),

renamed as (
    select
        listing_id,
        fetch_id,
        interval as bar_interval,
        knowledge_basis,
        open,
        high,
        low,
        close,
        volume,
        quote_volume,
        trade_count,
        open_time,
        close_time,
        knowledge_time,
        recorded_at
    from source
)

select * from renamed
