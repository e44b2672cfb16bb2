-- An action is worked out again when it, a bar from the one before it on, or an earlier action changed: `work` begins
-- after the last session that did not change. What had its effect before stays, and its factor is where the product goes on.
with recursive due as (
    select
        work.listing_id,
        work.first_day,
        actions.ex_date,
        actions.action
    from {{ work() }} as work
    inner join {{ ref('stg_records__corporate_actions') }} as actions
        on
            work.listing_id = actions.listing_id
            and work.first_day <= actions.ex_date
    {% if is_incremental() %}
        union

        select
            work.listing_id,
            work.first_day,
            stored.ex_date,
            stored.action
        from {{ work() }} as work
        inner join {{ this }} as stored
            on
                work.listing_id = stored.listing_id
                and (work.first_day <= stored.effective_date or stored.effective_date is null)
    {% endif %}
),

actions as (
    select
        due.first_day,
        actions.*
    from due
    inner join {{ ref('stg_records__corporate_actions') }} as actions
        on
            due.listing_id = actions.listing_id
            and due.ex_date = actions.ex_date
            and due.action = actions.action
    inner join {{ ref('markets') }} as markets on due.listing_id = markets.listing_id
    where
        (markets.adjustment = 'raw' or (markets.adjustment = 'split' and actions.action <> 'split'))
        -- An amount in another currency than the price has no part in a factor: no rate of exchange is applied.
        and (actions.currency is null or actions.currency = markets.currency)
),

-- Each is looked up by index: the sessions before and from the ex-date on, and the close before it.
around as (
    select
        actions.*,
        ex_session.session_date as ex_session_date,
        previous.close as previous_close
    from actions
    inner join lateral (
        select bars.session_date
        from {{ ref('session_bars') }} as bars
        where
            bars.market_id = actions.listing_id
            and bars.is_late is not true
            and bars.session_date >= actions.ex_date
        order by bars.session_date
        limit 1
    ) as ex_session on true
    inner join lateral (
        select bars.session_date
        from {{ ref('session_bars') }} as bars
        where
            bars.market_id = actions.listing_id
            and bars.is_late is not true
            and bars.session_date < actions.ex_date
        order by bars.session_date desc
        limit 1
    ) as last_session on true
    inner join lateral (
        select market_bars.close
        from {{ ref('market_bars') }} as market_bars
        where
            market_bars.listing_id = actions.listing_id
            and market_bars.session_date = last_session.session_date
        order by market_bars.session_date
    ) as previous on true
),

-- A holder's growth at each action: a payment over the last close before it, a split where prices still show it. Of
-- several payments of a day each comes after those before it: (p + a) / p * (p + a + b) / (p + a) is their sum over p. It
-- counts from its session on, or from the first later one at whose close it was known: never before.
growths as (
    select
        around.listing_id,
        around.first_day,
        around.ex_date,
        around.action,
        case around.action
            when 'split' then around.split_ratio
            else 1 + around.dividend_amount / (around.previous_close + paid.amount)
        end as growth,
        effective.session_date as effective_date,
        row_number() over (
            partition by around.listing_id order by effective.session_date, around.ex_date, around.action
        ) as ordinal
    from around
    cross join
        lateral (
            select coalesce(sum(others.dividend_amount), 0) as amount
            from {{ ref('stg_records__corporate_actions') }} as others
            where
                others.listing_id = around.listing_id
                and others.ex_date = around.ex_date
                and others.action < around.action
        ) as paid
    inner join lateral (
        select bars.session_date
        from {{ ref('session_bars') }} as bars
        where
            bars.market_id = around.listing_id
            and bars.is_late is not true
            and bars.session_date >= around.ex_session_date
            and bars.knowledge_time >= around.knowledge_time
        order by bars.session_date
        limit 1
    ) as effective on true
),

-- A product in a fixed order: exp(sum(ln())) would differ in its last bits from one plan to another.
factors as (
    select
        growths.*,
        {% if is_incremental() %}
            growths.growth * coalesce(earlier.factor, 1.0) as factor
        {% else %}
            growths.growth as factor
        {% endif %}
    from growths
    {% if is_incremental() %}
        left join lateral (
            select stored.factor
            from {{ this }} as stored
            where
                stored.listing_id = growths.listing_id
                and stored.effective_date < growths.first_day
            order by stored.effective_date desc, stored.ex_date desc, stored.action desc
            limit 1
        ) as earlier on true
    {% endif %}
    where growths.ordinal = 1

    union all

    select
        growths.*,
        factors.factor * growths.growth as factor
    from factors
    inner join growths
        on
            factors.listing_id = growths.listing_id
            and factors.ordinal + 1 = growths.ordinal
)

select
    due.listing_id,
    due.ex_date,
    due.action,
    factors.growth,
    factors.effective_date,
    factors.factor
from due
inner join {{ ref('stg_records__corporate_actions') }} as actions
    on
        due.listing_id = actions.listing_id
        and due.ex_date = actions.ex_date
        and due.action = actions.action
left join factors
    on
        due.listing_id = factors.listing_id
        and due.ex_date = factors.ex_date
        and due.action = factors.action
