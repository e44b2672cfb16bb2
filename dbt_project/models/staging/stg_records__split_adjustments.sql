with source as (
    select * from {{ source('records', 'split_adjustments') }}
),

renamed as (
    select
        listing_id,
        fetch_id,
        basis as adjustment_basis,
        ratio as split_ratio,
        from_time,
        to_time,
        knowledge_time,
        recorded_at
    from source
)

select * from renamed
