-- Everything is computed from staging, never from this table's other months, so months built in any order agree.
with recursive markets as (
    select * from {{ ref('markets') }}
),

actions as (
    select * from {{ ref('stg_records__corporate_actions') }}
),

-- The most trusted venue gives it, of those whose bar was known when the session's first was: whoever decides then
-- cannot wait for another. A bar that came later changes nothing, or what was decided would have been on the future.
chosen as materialized (
    select distinct on (market_id, session_date) *
    from {{ ref('session_bars') }}
    where is_late is not true
    order by market_id, session_date, trust_rank
),

-- Cells in which another venue won over it.
replacements as materialized (
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
),

-- Where cells of two venues meet, one may lie a tick outside the other's range: the range takes it in.
latest as (
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
        split_ratio,
        known_at as knowledge_time,
        fetch_id,
        recorded_at,
        listing_id as quoted_listing_id,
        replaced_cells,
        replacement_fetch_ids
    from mixed
),

bars as (
    select
        *,
        lag(session_date) over sessions_of_listing as previous_date,
        lag(close) over sessions_of_listing as previous_close
    from latest
    window sessions_of_listing as (partition by listing_id order by session_date)
),

-- A holder's growth at each action: a dividend over the last close before it, a split where prices still show it.
rewards as materialized (
    select
        actions.listing_id,
        actions.ex_date,
        actions.action,
        actions.knowledge_time,
        bars.session_date as ex_session_date,
        case actions.action
            when 'split' then actions.split_ratio
            else 1 + actions.dividend_amount / bars.previous_close
        end as growth
    from actions
    inner join markets on actions.listing_id = markets.listing_id
    inner join bars
        on
            actions.listing_id = bars.listing_id
            and actions.ex_date > bars.previous_date
            and actions.ex_date <= bars.session_date
    where
        (
            markets.adjustment = 'raw'
            or (markets.adjustment = 'split' and actions.action = 'dividend')
        )
        -- An amount in another currency than the price has no part in a factor: no rate of exchange is applied.
        and (actions.currency is null or actions.currency = markets.currency)
),

-- It counts from its session on, or from the first later one at whose close it was known: never before.
known_rewards as (
    select
        rewards.listing_id,
        rewards.ex_date,
        rewards.action,
        rewards.growth,
        min(bars.session_date) as effective_date
    from rewards
    inner join bars
        on
            rewards.listing_id = bars.listing_id
            and rewards.ex_session_date <= bars.session_date
            and rewards.knowledge_time <= bars.knowledge_time
    group by rewards.listing_id, rewards.ex_date, rewards.action, rewards.growth
),

growths as (
    select
        listing_id,
        effective_date,
        growth,
        row_number() over (partition by listing_id order by effective_date, ex_date, action) as ordinal
    from known_rewards
),

-- A product in a fixed order: exp(sum(ln())) would differ in its last bits from one plan to another.
factors as (
    select
        listing_id,
        ordinal,
        effective_date,
        growth as factor
    from growths
    where ordinal = 1

    union all

    select
        growths.listing_id,
        growths.ordinal,
        growths.effective_date,
        factors.factor * growths.growth as factor
    from factors
    inner join growths
        on
            factors.listing_id = growths.listing_id
            and factors.ordinal + 1 = growths.ordinal
),

factor_spans as (
    select
        listing_id,
        factor,
        effective_date as from_date,
        lead(effective_date) over (partition by listing_id order by ordinal) as to_date
    from factors
)

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
    coalesce(factor_spans.factor, 1.0) as total_return_factor,
    bars.is_half_day,
    bars.knowledge_time,
    bars.fetch_id,
    bars.recorded_at,
    quoted.venue as quoted_venue,
    bars.replaced_cells,
    bars.replacement_fetch_ids
from bars
inner join markets on bars.listing_id = markets.listing_id
inner join markets as quoted on bars.quoted_listing_id = quoted.listing_id
left join factor_spans
    on
        bars.listing_id = factor_spans.listing_id
        and bars.session_date >= factor_spans.from_date
        and (factor_spans.to_date is null or bars.session_date < factor_spans.to_date)
{% if is_incremental() %}
    -- Older history or a corrected dividend moves the factor of all that follows, and a split the prices of all that was
    -- fetched before it: those rows too, whatever the window.
    left join {{ this }} as stored
        on
            bars.listing_id = stored.listing_id
            and bars.session_date = stored.session_date
    where
        {{ in_window('bars.session_date') }}
        or stored.total_return_factor <> coalesce(factor_spans.factor, 1.0)
        or (bars.split_ratio is not null and stored.close <> bars.close)
{% else %}
    where {{ in_window('bars.session_date') }}
{% endif %}
