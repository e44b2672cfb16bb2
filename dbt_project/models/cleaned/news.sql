-- Of the articles that `work` names. The words that an editor replaced are no asset of their own, so they are named plainly.
with articles as materialized (
    select
        articles.source,
        articles.article_id,
        articles.title,
        articles.url,
        articles.language,
        articles.published_at,
        articles.knowledge_basis,
        articles.fetch_id,
        articles.recorded_at,
        concat_ws(' ', articles.title, articles.summary, articles.text) as everything,
        case
            when
                exists (
                    select 1
                    from records.article_revisions as revised
                    where revised.source = articles.source and revised.article_id = articles.article_id
                )
                then
                    records.article_known_from(
                        articles.source, articles.article_id, articles.recorded_at, articles.fetch_id, articles.knowledge_time
                    )
            else articles.knowledge_time -- nearly all: spared the look
        end as knowledge_time
    from {{ work() }} as work
    cross join
        lateral (
            select given.*
            from {{ ref('stg_records__articles') }} as given
            where given.source = work.source and given.article_id = work.article_id
            order by given.article_id
        ) as articles
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

phrases as (
    select
        listing_id,
        short_symbol as phrase,
        true as is_symbol
    from markets
    where length(short_symbol) > 1

    union all

    select distinct
        markets.listing_id,
        instruments.name as phrase,
        false as is_symbol
    from markets
    inner join instruments on markets.symbol = instruments.symbol
    where length(instruments.name) > 2
),

patterns as materialized (
    select
        listing_id,
        is_symbol,
        {{ whole_word('phrase') }} as pattern,
        substring(phrase from '^\w+') as first_word
    from phrases
),

-- A text that has a phrase has its first word as a word: each text is searched only for the few phrases that begin with one
-- of its words. `materialized`, since the planner, which knows nothing of patterns, would search each text for each first.
candidates as materialized (
    select distinct
        articles.source,
        articles.article_id,
        patterns.listing_id,
        patterns.pattern,
        patterns.is_symbol
    from articles
    cross join lateral regexp_split_to_table(articles.everything, '\W+') as words (word)
    inner join patterns on words.word = patterns.first_word
),

mentions as (
    select
        articles.source,
        articles.article_id,
        candidates.listing_id,
        bool_or(articles.title ~ candidates.pattern) as is_in_title,
        case when bool_or(candidates.is_symbol) then 'symbol' else 'name' end as mentioned_by
    from candidates
    inner join articles on candidates.source = articles.source and candidates.article_id = articles.article_id
    where articles.everything ~ candidates.pattern
    group by articles.source, articles.article_id, candidates.listing_id
),

placed as (
    select
        articles.*,
        mentions.listing_id,
        mentions.is_in_title,
        mentions.mentioned_by,
        markets.symbol,
        markets.calendar
    from mentions
    inner join articles on mentions.source = articles.source and mentions.article_id = articles.article_id
    inner join markets on mentions.listing_id = markets.listing_id
),

aligned as (
    select
        placed.*,
        next_session.session_date,
        next_session.close_time as session_close_time
    from placed
    cross join
        lateral (
            select
                sessions.session_date,
                sessions.close_time
            from {{ ref('stg_records__sessions') }} as sessions
            where
                sessions.calendar = placed.calendar
                -- So that the index is entered there: no session closes over a day after its date.
                and sessions.session_date >= cast(placed.knowledge_time at time zone 'UTC' as date) - 1
                and sessions.close_time >= placed.knowledge_time
            order by sessions.session_date
            limit 1
        ) as next_session

    union all

    -- Where no session ever ends, a day of UTC closes at the next midnight.
    select
        placed.*,
        cast(placed.knowledge_time at time zone 'UTC' - interval '1 microsecond' as date) as session_date,
        date_trunc('day', placed.knowledge_time - interval '1 microsecond', 'UTC') + interval '1 day' as session_close_time
    from placed
    where placed.calendar = '24/7'
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
