-- Venues with the same calendar relay the prices of one exchange, so their listings of a symbol are one market. A venue
-- that never closes is an exchange itself.
with listings as (
    select
        *,
        case venue
            {%- for venue in var('trusted_venues') %}
                when '{{ venue }}' then {{ loop.index }}
            {%- endfor %}
            else {{ var('trusted_venues') | length + 1 }}
        end as venue_trust_rank
    from {{ ref('stg_records__listings') }}
),

ranked as (
    select
        *,
        case when calendar = '24/7' then venue end as own_market
    from listings
)

select
    listing_id,
    first_value(listing_id) over by_trust as market_id,
    cast(row_number() over by_trust as integer) as trust_rank,
    venue,
    symbol,
    currency,
    adjustment,
    calendar,
    tick_size
from ranked
window by_trust as (
    partition by symbol, currency, adjustment, calendar, own_market
    order by venue_trust_rank, venue, listing_id
)
