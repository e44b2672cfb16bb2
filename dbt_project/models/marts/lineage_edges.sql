-- The relations are those that `strades trace` follows. A look-ahead is flagged where something was decided: features, forecasts,
-- decisions and orders; a fill may take the price of a bar that closes after it.
with bars as (
    {{ bars_by_source() }}
),

records as (
    select
        listing_id,
        day,
        'records/candles' as asset,
        '' as wallet,
        'rawsources/' || source as source_asset,
        listing_id as source_listing_id,
        '' as source_wallet,
        day as first_source_day,
        day as last_source_day,
        bars as rows,
        0 as look_ahead,
        knowledge_time
    from bars
),

daily as (
    select given.*
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

-- A bar of the market may be that of another venue, under whose listing the candle stands.
cleaned as (
    select
        daily.listing_id,
        daily.session_date as day,
        'cleaned/daily_bars' as asset,
        '' as wallet,
        'records/candles' as source_asset,
        candles.listing_id as source_listing_id,
        '' as source_wallet,
        cast(candles.open_time at time zone 'UTC' as date) as first_source_day,
        cast(candles.open_time at time zone 'UTC' as date) as last_source_day,
        1 as rows,
        0 as look_ahead,
        daily.knowledge_time
    from daily
    inner join {{ source('records', 'listings') }} as quoted
        on daily.quoted_venue = quoted.venue and daily.symbol = quoted.symbol
    cross join
        lateral (
            select
                given.listing_id,
                given.open_time
            from {{ source('records', 'candles') }} as given
            where given.listing_id = quoted.listing_id and given.interval = '1d' and given.open_time = daily.open_time
            order by given.open_time
            limit 1
        ) as candles
),

decided_features as (
    {{ features_of_work() }}
),

late_features as (
    {{ late_features('decided_features') }}
),

features as (
    select
        given.listing_id,
        given.session_date as day,
        'features/daily' as asset,
        '' as wallet,
        'cleaned/daily_bars' as source_asset,
        given.listing_id as source_listing_id,
        '' as source_wallet,
        min(given.window_start) as first_source_day,
        max(given.session_date) as last_source_day,
        count(*) as rows,
        count(late_features.decision_time) as look_ahead,
        max(given.decision_time) as knowledge_time
    from decided_features as given
    left join late_features
        on given.listing_id = late_features.listing_id and given.decision_time = late_features.decision_time
    group by given.listing_id, given.session_date
),

forecasts as (
    select given.*
    from {{ work() }} as work
    inner join {{ source('predictions', 'forecasts') }} as given
        on
            work.listing_id = given.listing_id
            and given.decision_time >= cast(work.first_day - 2 as timestamp) at time zone 'UTC'
            and given.decision_time < cast(work.end_day + 14 as timestamp) at time zone 'UTC'
            and work.first_day <= given.session_date
            and work.end_day > given.session_date
),

-- A forecast is decided at the instant of its features: it looks ahead with them.
predictions as (
    select
        forecasts.listing_id,
        forecasts.session_date as day,
        'predictions/' || forecasts.name as asset,
        '' as wallet,
        'features/daily' as source_asset,
        daily_features.listing_id as source_listing_id,
        '' as source_wallet,
        min(daily_features.session_date) as first_source_day,
        max(daily_features.session_date) as last_source_day,
        count(*) as rows,
        count(late_features.decision_time) as look_ahead,
        max(forecasts.decision_time) as knowledge_time
    from forecasts
    inner join {{ source('features', 'daily') }} as daily_features
        on forecasts.listing_id = daily_features.listing_id and forecasts.decision_time = daily_features.decision_time
    left join late_features
        on forecasts.listing_id = late_features.listing_id and forecasts.decision_time = late_features.decision_time
    group by forecasts.listing_id, forecasts.session_date, forecasts.name, daily_features.listing_id
),

decisions as (
    select
        given.*,
        cast(given.decided_at at time zone 'UTC' as date) as day,
        'signals/' || given.strategy as asset
    from {{ work() }} as work
    inner join {{ source('signals', 'decisions') }} as given
        on
            work.listing_id = given.listing_id
            and given.decided_at >= cast(work.first_day as timestamp) at time zone 'UTC'
            and given.decided_at < cast(work.end_day as timestamp) at time zone 'UTC'
),

read_bars as (
    select
        listing_id,
        day,
        asset,
        wallet,
        decided_at,
        cast(inputs -> 'bars' ->> 'listing_id' as integer) as source_listing_id,
        inputs -> 'bars' ->> 'interval' as bar_interval,
        cast(inputs -> 'bars' ->> 'first_open_time' as timestamptz) as first_open_time,
        cast(inputs -> 'bars' ->> 'last_open_time' as timestamptz) as last_open_time
    from decisions
    where inputs -> 'bars' is not null
),

-- What reads daily bars reads the cleaned ones. Only what was known first counts: a bar that was revised since stood there in
-- another version.
signals_of_records as (
    select
        read_bars.*,
        exists(
            select 1
            from {{ source('records', 'candles') }} as late
            where
                late.listing_id = read_bars.source_listing_id
                and late.interval = read_bars.bar_interval
                and late.open_time between read_bars.first_open_time and read_bars.last_open_time
                and late.knowledge_time > read_bars.decided_at
                and not exists (
                    select 1
                    from records.candle_revisions as revisions
                    where
                        revisions.listing_id = late.listing_id
                        and revisions.interval = late.interval
                        and revisions.open_time = late.open_time
                        and revisions.knowledge_time <= read_bars.decided_at
                )
        ) as looks_ahead
    from read_bars
    where read_bars.bar_interval <> '1d'
),

signals_of_bars as (
    select
        listing_id,
        day,
        asset,
        wallet,
        'records/candles' as source_asset,
        source_listing_id,
        '' as source_wallet,
        min(cast(first_open_time at time zone 'UTC' as date)) as first_source_day,
        max(cast(last_open_time at time zone 'UTC' as date)) as last_source_day,
        count(*) as rows,
        count(*) filter (where looks_ahead) as look_ahead,
        max(decided_at) as knowledge_time
    from signals_of_records
    group by listing_id, day, asset, wallet, source_listing_id
),

signals_of_days as (
    select
        read_bars.listing_id,
        read_bars.day,
        read_bars.asset,
        read_bars.wallet,
        'cleaned/daily_bars' as source_asset,
        read_bars.source_listing_id,
        '' as source_wallet,
        min(window_bars.first_day) as first_source_day,
        max(window_bars.last_day) as last_source_day,
        count(*) as rows,
        count(*) filter (where window_bars.late_bars > 0) as look_ahead,
        max(read_bars.decided_at) as knowledge_time
    from read_bars
    cross join
        lateral (
            select
                min(daily_bars.session_date) as first_day,
                max(daily_bars.session_date) as last_day,
                count(*) filter (
                    where
                    daily_bars.knowledge_time > read_bars.decided_at
                    and {{ first_known('daily_bars') }} > read_bars.decided_at
                ) as late_bars
            from {{ ref('daily_bars') }} as daily_bars
            where
                daily_bars.listing_id = read_bars.source_listing_id
                and daily_bars.session_date
                between cast(read_bars.first_open_time at time zone 'UTC' as date) - 1
                and cast(read_bars.last_open_time at time zone 'UTC' as date) + 1
                and daily_bars.open_time between read_bars.first_open_time and read_bars.last_open_time
        ) as window_bars
    where read_bars.bar_interval = '1d' and window_bars.first_day is not null
    group by read_bars.listing_id, read_bars.day, read_bars.asset, read_bars.wallet, read_bars.source_listing_id
),

signals_of_predictions as (
    select
        decisions.listing_id,
        decisions.day,
        decisions.asset,
        decisions.wallet,
        'predictions/' || given.name as source_asset,
        given.listing_id as source_listing_id,
        '' as source_wallet,
        min(given.session_date) as first_source_day,
        max(given.session_date) as last_source_day,
        count(*) as rows,
        count(*) filter (where given.decision_time > decisions.decided_at) as look_ahead,
        max(decisions.decided_at) as knowledge_time
    from decisions
    inner join {{ source('predictions', 'forecasts') }} as given on decisions.inputs ->> 'prediction_id' = given.prediction_id
    group by decisions.listing_id, decisions.day, decisions.asset, decisions.wallet, given.name, given.listing_id
),

orders as (
    select
        given.listing_id,
        cast(given.intended_at at time zone 'UTC' as date) as day,
        'trading/orders' as asset,
        given.wallet,
        'signals/' || behind.strategy as source_asset,
        behind.listing_id as source_listing_id,
        behind.wallet as source_wallet,
        min(cast(behind.decided_at at time zone 'UTC' as date)) as first_source_day,
        max(cast(behind.decided_at at time zone 'UTC' as date)) as last_source_day,
        count(*) as rows,
        count(*) filter (where behind.decided_at > given.intended_at) as look_ahead,
        max(given.intended_at) as knowledge_time
    from {{ work() }} as work
    inner join {{ source('trading', 'intents') }} as given
        on
            work.listing_id = given.listing_id
            and given.intended_at >= cast(work.first_day as timestamp) at time zone 'UTC'
            and given.intended_at < cast(work.end_day as timestamp) at time zone 'UTC'
    inner join {{ source('signals', 'decisions') }} as behind on given.decision_id = behind.decision_id
    group by
        given.listing_id, cast(given.intended_at at time zone 'UTC' as date), given.wallet, behind.strategy,
        behind.listing_id, behind.wallet
),

filled as (
    select
        given.*,
        cast(given.filled_at at time zone 'UTC' as date) as day
    from {{ work() }} as work
    inner join {{ source('trading', 'fills') }} as given
        on
            work.listing_id = given.listing_id
            and given.filled_at >= cast(work.first_day as timestamp) at time zone 'UTC'
            and given.filled_at < cast(work.end_day as timestamp) at time zone 'UTC'
),

fills as (
    select
        filled.listing_id,
        filled.day,
        'trading/fills' as asset,
        filled.wallet,
        'trading/orders' as source_asset,
        intents.listing_id as source_listing_id,
        intents.wallet as source_wallet,
        min(cast(intents.intended_at at time zone 'UTC' as date)) as first_source_day,
        max(cast(intents.intended_at at time zone 'UTC' as date)) as last_source_day,
        count(*) as rows,
        0 as look_ahead,
        max(filled.known_at) as knowledge_time
    from filled
    inner join {{ source('trading', 'intents') }} as intents on filled.intent_id = intents.intent_id
    group by filled.listing_id, filled.day, filled.wallet, intents.listing_id, intents.wallet
),

fills_of_bars as (
    select
        filled.listing_id,
        filled.day,
        'trading/fills' as asset,
        filled.wallet,
        'records/candles' as source_asset,
        filled.listing_id as source_listing_id,
        '' as source_wallet,
        min(cast(filled.bar_open_time at time zone 'UTC' as date)) as first_source_day,
        max(cast(filled.bar_open_time at time zone 'UTC' as date)) as last_source_day,
        count(*) as rows,
        0 as look_ahead,
        max(filled.known_at) as knowledge_time
    from filled
    where filled.bar_interval <> '1d'
    group by filled.listing_id, filled.day, filled.wallet
),

fills_of_days as (
    select
        filled.listing_id,
        filled.day,
        'trading/fills' as asset,
        filled.wallet,
        'cleaned/daily_bars' as source_asset,
        filled.listing_id as source_listing_id,
        '' as source_wallet,
        min(daily_bars.session_date) as first_source_day,
        max(daily_bars.session_date) as last_source_day,
        count(*) as rows,
        0 as look_ahead,
        max(filled.known_at) as knowledge_time
    from filled
    inner join {{ ref('daily_bars') }} as daily_bars
        on
            filled.listing_id = daily_bars.listing_id
            and daily_bars.session_date
            between cast(filled.bar_open_time at time zone 'UTC' as date) - 1
            and cast(filled.bar_open_time at time zone 'UTC' as date) + 1
            and filled.bar_open_time = daily_bars.open_time
    where filled.bar_interval = '1d'
    group by filled.listing_id, filled.day, filled.wallet
),

results as (
    select
        given.listing_id,
        given.session_date as day,
        'results/session_attribution' as asset,
        given.wallet,
        'trading/fills' as source_asset,
        fills.listing_id as source_listing_id,
        fills.wallet as source_wallet,
        min(cast(fills.filled_at at time zone 'UTC' as date)) as first_source_day,
        max(cast(fills.filled_at at time zone 'UTC' as date)) as last_source_day,
        count(distinct fills.fill_id) as rows,
        0 as look_ahead,
        max(sessions.valued_at) as knowledge_time
    from {{ work() }} as work
    inner join {{ source('results', 'session_attribution') }} as given
        on
            work.listing_id = given.listing_id
            and work.first_day <= given.session_date
            and work.end_day > given.session_date
    inner join {{ source('results', 'wallet_sessions') }} as sessions
        on given.wallet = sessions.wallet and given.session_date = sessions.session_date
    inner join {{ source('trading', 'fills') }} as fills
        on
            given.wallet = fills.wallet
            and given.listing_id = fills.listing_id
            and sessions.starts_at <= fills.filled_at
            and sessions.valued_at > fills.filled_at
    group by given.listing_id, given.session_date, given.wallet, fills.listing_id, fills.wallet
),

by_instrument as (
    select * from records
    union all
    select * from cleaned
    union all
    select * from features
    union all
    select * from predictions
    union all
    select * from signals_of_bars
    union all
    select * from signals_of_days
    union all
    select * from signals_of_predictions
    union all
    select * from orders
    union all
    select * from fills
    union all
    select * from fills_of_bars
    union all
    select * from fills_of_days
    union all
    select * from results
),

by_day as (
    select
        day,
        asset,
        wallet,
        source_asset,
        source_wallet,
        first_source_day,
        last_source_day,
        rows,
        look_ahead,
        knowledge_time
    from by_instrument

    {% if is_incremental() %}
        union all
        select
            day,
            asset,
            wallet,
            source_asset,
            source_wallet,
            first_source_day,
            last_source_day,
            rows,
            look_ahead,
            knowledge_time
        from ({{ stored_beside_work() }}) as beside
    {% endif %}
)

select
    cast(2 as smallint) as level,
    source_asset,
    asset,
    day,
    listing_id,
    wallet,
    source_listing_id,
    source_wallet,
    first_source_day,
    last_source_day,
    cast(rows as bigint) as rows,
    cast(look_ahead as bigint) as look_ahead,
    knowledge_time
from by_instrument

union all

select
    cast(1 as smallint) as level,
    source_asset,
    asset,
    day,
    0 as listing_id,
    wallet,
    0 as source_listing_id,
    source_wallet,
    min(first_source_day) as first_source_day,
    max(last_source_day) as last_source_day,
    cast(sum(rows) as bigint) as rows,
    cast(sum(look_ahead) as bigint) as look_ahead,
    max(knowledge_time) as knowledge_time
from by_day
group by source_asset, asset, day, wallet, source_wallet
