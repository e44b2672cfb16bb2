with bars as (
    select
        *,
        close * total_return_factor as wealth
    from {{ ref('daily_bars') }}
)

select
    listing_id,
    venue,
    symbol,
    session_date,
    open,
    high,
    low,
    close,
    volume,
    currency,
    is_half_day,
    wealth / lag(wealth) over sessions_of_listing - 1 as total_return,
    wealth / first_value(wealth) over sessions_of_listing as growth,
    close_time,
    knowledge_time,
    quoted_venue,
    replaced_cells is not null as is_repaired
from bars
window sessions_of_listing as (partition by listing_id order by session_date)
