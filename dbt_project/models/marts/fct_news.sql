with mentions as (
    select
        listing_id,
        symbol,
        session_date,
        session_close_time,
        count(*) as articles,
        count(*) filter (where is_in_title) as in_titles,
        count(distinct source) as sources,
        min(knowledge_time) as first_known_time,
        max(knowledge_time) as last_known_time
    from {{ ref('news') }}
    group by listing_id, symbol, session_date, session_close_time
),

prices as (
    select * from {{ ref('fct_prices') }}
)

select
    mentions.*,
    prices.close,
    prices.total_return
from mentions
left join prices
    on
        mentions.listing_id = prices.listing_id
        and mentions.session_date = prices.session_date
