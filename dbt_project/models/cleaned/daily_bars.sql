-- Everything is worked out from what lies before this table, never from its own other months, so that months built in
-- any order agree. The rows of each stretch of work are looked up by index (`order by` keeps the planner from any other way).
select
    bars.listing_id,
    markets.venue,
    markets.symbol,
    bars.session_date,
    bars.open_time,
    bars.close_time,
    bars.open,
    bars.high,
    bars.low,
    bars.close,
    bars.volume,
    markets.currency,
    coalesce(grown.factor, 1.0) as total_return_factor,
    bars.is_half_day,
    bars.knowledge_time,
    bars.fetch_id,
    bars.recorded_at,
    quoted.venue as quoted_venue,
    bars.replaced_cells,
    bars.replacement_fetch_ids
from {{ work() }} as work
cross join
    lateral (
        select market_bars.*
        from {{ ref('market_bars') }} as market_bars
        where
            market_bars.listing_id = work.listing_id
            and market_bars.session_date >= work.first_day
            and market_bars.session_date < work.end_day
        order by market_bars.session_date
    ) as bars
inner join {{ ref('markets') }} as markets on bars.listing_id = markets.listing_id
inner join {{ ref('markets') }} as quoted on bars.quoted_listing_id = quoted.listing_id
left join lateral (
    select factors.factor
    from {{ ref('growth_factors') }} as factors
    where
        factors.listing_id = bars.listing_id
        and factors.effective_date <= bars.session_date
    order by factors.effective_date desc, factors.ex_date desc, factors.action desc
    limit 1
) as grown on true
