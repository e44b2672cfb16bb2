with source as (
    select * from {{ source('records', 'sessions') }}
),

renamed as (
    select
        calendar,
        session_date,
        is_half_day,
        open_time,
        close_time,
        break_start,
        break_end
    from source
)

select * from renamed
