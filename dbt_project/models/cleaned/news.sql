-- The words that an editor replaced are no asset of their own, so they are named plainly.
with as_known as (
    select
        source,
        article_id,
        title,
        url,
        language,
        published_at,
        knowledge_basis,
        fetch_id,
        recorded_at,
        concat_ws(' ', title, summary, text) as everything,
        case
            when
                (source, article_id) in (
                    select
                        revised.source,
                        revised.article_id
                    from records.article_revisions as revised
                )
                then records.article_known_from(source, article_id, recorded_at, fetch_id, knowledge_time)
            else knowledge_time -- nearly all: spared the look
        end as knowledge_time
    from {{ ref('stg_records__articles') }}
),

articles as (
    select * from as_known
    where {{ in_window("cast(knowledge_time at time zone 'UTC' as date) + 14", until=false) }}
),

instruments as (
    select
        symbol,
        -- `Bitcoin, days` and `Apple Inc.` are written Bitcoin and Apple.
        regexp_replace(split_part(name, ',', 1), ' (Inc|Corp|Corporation|plc|SA|AG|Ltd|Co)\.?$', '') as name
    from {{ source('records', 'instruments') }}
),

-- Several venues may quote one market: the most trusted stands for all. Of a pair, the first half is its symbol.
markets as (
    select
        *,
        split_part(split_part(symbol, '_', 1), '-', 1) as short_symbol
    from {{ ref('markets') }}
    where listing_id = market_id
),

patterns as (
    select
        markets.listing_id,
        markets.symbol,
        markets.calendar,
        case when length(markets.short_symbol) > 1 then {{ whole_word('markets.short_symbol') }} end as symbol_pattern,
        string_agg(distinct {{ whole_word('instruments.name') }}, '|') as name_pattern
    from markets
    left join instruments on markets.symbol = instruments.symbol and length(instruments.name) > 2
    group by markets.listing_id, markets.symbol, markets.calendar, markets.short_symbol
),

mentions as (
    select
        articles.*,
        patterns.listing_id,
        patterns.symbol,
        patterns.calendar,
        articles.title ~ concat_ws('|', patterns.symbol_pattern, patterns.name_pattern) as is_in_title,
        case when articles.everything ~ patterns.symbol_pattern then 'symbol' else 'name' end as mentioned_by
    from articles
    inner join patterns on articles.everything ~ concat_ws('|', patterns.symbol_pattern, patterns.name_pattern)
    where concat_ws('|', patterns.symbol_pattern, patterns.name_pattern) <> ''
),

aligned as (
    select
        mentions.*,
        next_session.session_date,
        next_session.close_time as session_close_time
    from mentions
    cross join
        lateral (
            select
                sessions.session_date,
                sessions.close_time
            from {{ ref('stg_records__sessions') }} as sessions
            where
                sessions.calendar = mentions.calendar
                -- So that the index is entered there: no session closes over a day after its date.
                and sessions.session_date >= cast(mentions.knowledge_time at time zone 'UTC' as date) - 1
                and sessions.close_time >= mentions.knowledge_time
            order by sessions.session_date
            limit 1
        ) as next_session

    union all

    -- Where no session ever ends, a day of UTC closes at the next midnight.
    select
        mentions.*,
        cast(mentions.knowledge_time at time zone 'UTC' - interval '1 microsecond' as date) as session_date,
        date_trunc('day', mentions.knowledge_time - interval '1 microsecond', 'UTC') + interval '1 day' as session_close_time
    from mentions
    where mentions.calendar = '24/7'
)

select
    source,
    article_id,
    listing_id,
    symbol,
    session_date,
    session_close_time,
    mentioned_by,
    is_in_title,
    title,
    url,
    language,
    published_at,
    knowledge_time,
    knowledge_basis,
    fetch_id,
    recorded_at
from aligned
where {{ in_window('session_date') }}
