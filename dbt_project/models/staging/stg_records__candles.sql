with source as (
    select * from {{ source('records', 'candles') }}
),

split_adjustments as (
    select * from {{ ref('stg_records__split_adjustments') }}
),

renamed as (
    select
        source.listing_id,
        source.fetch_id,
        source.interval as bar_interval,
        source.knowledge_basis,
        source.open / coalesce(split_adjustments.split_ratio, 1) as open,
        source.high / coalesce(split_adjustments.split_ratio, 1) as high,
        source.low / coalesce(split_adjustments.split_ratio, 1) as low,
        source.close / coalesce(split_adjustments.split_ratio, 1) as close,
        source.volume * coalesce(split_adjustments.split_ratio, 1) as volume,
        source.quote_volume,
        source.trade_count,
        split_adjustments.split_ratio,
        source.open_time,
        source.close_time,
        source.knowledge_time,
        greatest(source.recorded_at, split_adjustments.recorded_at) as recorded_at
    from source
    left join split_adjustments
        on
            source.listing_id = split_adjustments.listing_id
            and source.fetch_id = split_adjustments.fetch_id
            and source.open_time between split_adjustments.from_time and split_adjustments.to_time
)

select * from renamed
