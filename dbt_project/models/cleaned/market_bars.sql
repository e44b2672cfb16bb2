-- The most trusted venue gives it, of those whose bar was known when the session's first was: whoever decides then
-- cannot wait for another. A bar that came later changes nothing, or what was decided would have been on the future.
with chosen as (
    select distinct on (market_id, session_date) *
    from {{ ref('session_bars') }}
    where is_late is not true
    order by market_id, session_date, trust_rank
),

-- Cells in which another venue won over it.
replacements as (
    select
        market_id,
        session_date,
        loser_id as chosen_id,
        max(winning_value) filter (where cell = 'open') as open,
        max(winning_value) filter (where cell = 'high') as high,
        max(winning_value) filter (where cell = 'low') as low,
        max(winning_value) filter (where cell = 'close') as close,
        max(winning_value) filter (where cell = 'volume') as volume,
        max(knowledge_time) as knowledge_time,
        array_agg(cell order by cell) as cells,
        array_agg(distinct winning_fetch_id) as fetch_ids
    from {{ ref('price_conflicts') }}
    group by market_id, session_date, loser_id
),

mixed as (
    select
        chosen.*,
        coalesce(replacements.open, chosen.open) as mixed_open,
        coalesce(replacements.high, chosen.high) as mixed_high,
        coalesce(replacements.low, chosen.low) as mixed_low,
        coalesce(replacements.close, chosen.close) as mixed_close,
        coalesce(replacements.volume, chosen.volume) as mixed_volume,
        greatest(chosen.knowledge_time, replacements.knowledge_time) as known_at,
        replacements.cells as replaced_cells,
        replacements.fetch_ids as replacement_fetch_ids
    from chosen
    left join replacements
        on
            chosen.market_id = replacements.market_id
            and chosen.session_date = replacements.session_date
            and chosen.listing_id = replacements.chosen_id
)

-- Where cells of two venues meet, one may lie a tick outside the other's range: the range takes it in.
select
    market_id as listing_id,
    session_date,
    is_half_day,
    open_time,
    close_time,
    mixed_open as open,
    greatest(mixed_high, mixed_open, mixed_close) as high,
    least(mixed_low, mixed_open, mixed_close) as low,
    mixed_close as close,
    mixed_volume as volume,
    known_at as knowledge_time,
    fetch_id,
    recorded_at,
    listing_id as quoted_listing_id,
    replaced_cells,
    replacement_fetch_ids
from mixed
