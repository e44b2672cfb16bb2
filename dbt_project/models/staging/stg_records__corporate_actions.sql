with source as (
    select * from {{ source('records', 'corporate_actions') }}
),

renamed as (
    select
        listing_id,
        fetch_id,
        action,
        currency,
        knowledge_basis,
        ratio as split_ratio,
        amount as dividend_amount,
        ex_date,
        knowledge_time,
        recorded_at
    from source
)

select * from renamed
