with bars as (
    {{ bars_by_source() }}
),

sources as (
    select
        listing_id,
        day,
        'rawsources/' || source as asset,
        '' as wallet,
        bars as rows,
        first_knowledge_time,
        knowledge_time
    from bars
),

records as (
    select
        listing_id,
        day,
        'records/candles' as asset,
        '' as wallet,
        sum(bars) as rows,
        min(first_knowledge_time) as first_knowledge_time,
        max(knowledge_time) as knowledge_time
    from bars
    group by listing_id, day
),

cleaned as (
    select
        given.listing_id,
        given.session_date as day,
        'cleaned/daily_bars' as asset,
        '' as wallet,
        1 as rows,
        {{ first_known('given') }} as first_knowledge_time,
        given.knowledge_time
    from {{ work() }} as work
    cross join
        lateral (
            select daily_bars.*
            from {{ ref('daily_bars') }} as daily_bars
            where
                daily_bars.listing_id = work.listing_id
                and daily_bars.session_date >= work.first_day
                and daily_bars.session_date < work.end_day
            order by daily_bars.session_date
        ) as given
),

features as (
    select
        given.listing_id,
        given.session_date as day,
        'features/daily' as asset,
        '' as wallet,
        count(*) as rows,
        min(given.decision_time) as first_knowledge_time,
        max(given.decision_time) as knowledge_time
    from ({{ features_of_work() }}) as given
    group by given.listing_id, given.session_date
),

predictions as (
    select
        given.listing_id,
        given.session_date as day,
        'predictions/' || given.name as asset,
        '' as wallet,
        count(*) as rows,
        min(given.decision_time) as first_knowledge_time,
        max(given.decision_time) as knowledge_time
    from {{ work() }} as work
    inner join {{ source('predictions', 'forecasts') }} as given
        on
            work.listing_id = given.listing_id
            and given.decision_time >= cast(work.first_day - 2 as timestamp) at time zone 'UTC'
            and given.decision_time < cast(work.end_day + 14 as timestamp) at time zone 'UTC'
            and work.first_day <= given.session_date
            and work.end_day > given.session_date
    group by given.listing_id, given.session_date, given.name
),

signals as (
    select
        given.listing_id,
        cast(given.decided_at at time zone 'UTC' as date) as day,
        'signals/' || given.strategy as asset,
        given.wallet,
        count(*) as rows,
        min(given.decided_at) as first_knowledge_time,
        max(given.decided_at) as knowledge_time
    from {{ work() }} as work
    inner join {{ source('signals', 'decisions') }} as given
        on
            work.listing_id = given.listing_id
            and given.decided_at >= cast(work.first_day as timestamp) at time zone 'UTC'
            and given.decided_at < cast(work.end_day as timestamp) at time zone 'UTC'
    group by given.listing_id, cast(given.decided_at at time zone 'UTC' as date), given.strategy, given.wallet
),

orders as (
    select
        given.listing_id,
        cast(given.intended_at at time zone 'UTC' as date) as day,
        'trading/orders' as asset,
        given.wallet,
        count(*) as rows,
        min(given.intended_at) as first_knowledge_time,
        max(given.intended_at) as knowledge_time
    from {{ work() }} as work
    inner join {{ source('trading', 'intents') }} as given
        on
            work.listing_id = given.listing_id
            and given.intended_at >= cast(work.first_day as timestamp) at time zone 'UTC'
            and given.intended_at < cast(work.end_day as timestamp) at time zone 'UTC'
    group by given.listing_id, cast(given.intended_at at time zone 'UTC' as date), given.wallet
),

fills as (
    select
        given.listing_id,
        cast(given.filled_at at time zone 'UTC' as date) as day,
        'trading/fills' as asset,
        given.wallet,
        count(*) as rows,
        min(given.known_at) as first_knowledge_time,
        max(given.known_at) as knowledge_time
    from {{ work() }} as work
    inner join {{ source('trading', 'fills') }} as given
        on
            work.listing_id = given.listing_id
            and given.filled_at >= cast(work.first_day as timestamp) at time zone 'UTC'
            and given.filled_at < cast(work.end_day as timestamp) at time zone 'UTC'
    group by given.listing_id, cast(given.filled_at at time zone 'UTC' as date), given.wallet
),

results as (
    select
        given.listing_id,
        given.session_date as day,
        'results/session_attribution' as asset,
        given.wallet,
        count(*) as rows,
        min(sessions.valued_at) as first_knowledge_time,
        max(sessions.valued_at) as knowledge_time
    from {{ work() }} as work
    inner join {{ source('results', 'session_attribution') }} as given
        on
            work.listing_id = given.listing_id
            and work.first_day <= given.session_date
            and work.end_day > given.session_date
    inner join {{ source('results', 'wallet_sessions') }} as sessions
        on given.wallet = sessions.wallet and given.session_date = sessions.session_date
    group by given.listing_id, given.session_date, given.wallet
),

by_instrument as (
    select * from sources
    union all
    select * from records
    union all
    select * from cleaned
    union all
    select * from features
    union all
    select * from predictions
    union all
    select * from signals
    union all
    select * from orders
    union all
    select * from fills
    union all
    select * from results
),

by_day as (
    select
        day,
        asset,
        wallet,
        rows,
        first_knowledge_time,
        knowledge_time
    from by_instrument

    {% if is_incremental() %}
        union all
        select
            day,
            asset,
            wallet,
            rows,
            first_knowledge_time,
            knowledge_time
        from ({{ stored_beside_work() }}) as beside
    {% endif %}
)

select
    cast(2 as smallint) as level,
    asset,
    day,
    listing_id,
    wallet,
    cast(rows as bigint) as rows,
    first_knowledge_time,
    knowledge_time
from by_instrument

union all

select
    cast(1 as smallint) as level,
    asset,
    day,
    0 as listing_id,
    wallet,
    cast(sum(rows) as bigint) as rows,
    min(first_knowledge_time) as first_knowledge_time,
    max(knowledge_time) as knowledge_time
from by_day
group by asset, day, wallet
