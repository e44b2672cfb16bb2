with source as (
    select actions.* from {{ source('records', 'corporate_actions') }} as actions
    where
        (
            select true from records.moved_actions as moved
            where
                moved.listing_id = actions.listing_id
                and moved.ex_date = actions.ex_date
                and moved.action = actions.action
            order by moved.ex_date
            limit 1
        ) is null
),

split_adjustments as (
    select * from {{ ref('stg_records__split_adjustments') }}
),

renamed as (
    select
        source.listing_id,
        source.fetch_id,
        source.action,
        source.currency,
        source.knowledge_basis,
        source.ratio as split_ratio,
        source.amount / coalesce(split_adjustments.split_ratio, 1) as dividend_amount,
        source.ex_date,
        source.knowledge_time,
        greatest(source.recorded_at, split_adjustments.recorded_at) as recorded_at
    from source
    left join split_adjustments
        on
            source.listing_id = split_adjustments.listing_id
            and source.fetch_id = split_adjustments.fetch_id
            and source.knowledge_time between split_adjustments.from_time and split_adjustments.to_time
)

select * from renamed
