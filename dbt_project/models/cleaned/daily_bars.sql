-- Everything is computed from staging, never from this table's other months, so months built in any order agree.
-- `materialized` keeps the planner from joining by ranges first: after a first load there are no statistics to tell it.
with recursive listings as (
    select * from {{ ref('stg_records__listings') }}
),

sessions as (
    select * from {{ ref('stg_records__sessions') }}
),

actions as (
    select * from {{ ref('stg_records__corporate_actions') }}
),

candles as (
    select
        *,
        cast(open_time at time zone 'UTC' as date) as utc_date
    from {{ ref('stg_records__candles') }}
    where bar_interval = '1d'
),

-- By the days of UTC a session touches, so that bars find theirs by equality: New York's is one day, Chicago's two.
session_days as materialized (
    select
        sessions.*,
        cast(sessions.open_time at time zone 'UTC' as date) + days_later.days_later as utc_date
    from sessions
    cross join lateral generate_series(
        0, cast(sessions.close_time at time zone 'UTC' as date) - cast(sessions.open_time at time zone 'UTC' as date)
    ) as days_later
),

placed as (
    select
        candles.*,
        session_days.session_date,
        session_days.is_half_day
    from candles
    inner join listings on candles.listing_id = listings.listing_id
    inner join session_days
        on
            listings.calendar = session_days.calendar
            and candles.utc_date = session_days.utc_date
            and candles.open_time >= session_days.open_time
            and candles.open_time < session_days.close_time

    union all

    select
        candles.*,
        candles.utc_date as session_date,
        false as is_half_day
    from candles
    inner join listings on candles.listing_id = listings.listing_id
    where listings.calendar = '24/7'
),

latest as (
    select distinct on (listing_id, session_date) *
    from placed
    order by listing_id asc, session_date asc, knowledge_time desc, open_time desc
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
    inner join listings on actions.listing_id = listings.listing_id
    inner join bars
        on
            actions.listing_id = bars.listing_id
            and actions.ex_date > bars.previous_date
            and actions.ex_date <= bars.session_date
    where
        listings.adjustment = 'raw'
        or (listings.adjustment = 'split' and actions.action = 'dividend')
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
    listings.venue,
    listings.symbol,
    bars.session_date,
    bars.open_time,
    bars.close_time,
    bars.open,
    bars.high,
    bars.low,
    bars.close,
    bars.volume,
    listings.currency,
    coalesce(factor_spans.factor, 1.0) as total_return_factor,
    bars.is_half_day,
    bars.knowledge_time,
    bars.fetch_id,
    bars.recorded_at
from bars
inner join listings on bars.listing_id = listings.listing_id
left join factor_spans
    on
        bars.listing_id = factor_spans.listing_id
        and bars.session_date >= factor_spans.from_date
        and (factor_spans.to_date is null or bars.session_date < factor_spans.to_date)
{% if is_incremental() %}
    -- Older history or a corrected dividend moves the factor of all that follows: those rows too, whatever the window.
    left join {{ this }} as stored
        on
            bars.listing_id = stored.listing_id
            and bars.session_date = stored.session_date
    where
        {{ in_window('bars.session_date') }}
        or stored.total_return_factor <> coalesce(factor_spans.factor, 1.0)
{% else %}
    where {{ in_window('bars.session_date') }}
{% endif %}
