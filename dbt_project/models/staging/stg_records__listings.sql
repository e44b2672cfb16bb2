with source as (
    select * from {{ source('records', 'listings') }}
),

renamed as (
    select
        listing_id,
        venue,
        symbol,
        currency,
        adjustment,
        calendar,
        tick_size,
        lot_size,
        valid_from,
        valid_to
    from source
)

select * from renamed
