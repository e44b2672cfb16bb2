with source as (
    select * from {{ source('records', 'sessions') }}
),

renamed as (
    select
        calendar,
        session_date,
        is_half_day,
        open_time,
        close_time
    from source
)

select * from renamed
