with markets as (
    select * from {{ ref('markets') }}
),

-- From the third bar before each stretch of work on, since a cell is judged by a venue's last three closes.
stretches as (
    select
        markets.listing_id,
        work.first_day,
        work.end_day,
        coalesce((
            select earlier.session_date
            from {{ ref('session_bars') }} as earlier
            where
                earlier.listing_id = markets.listing_id
                and earlier.is_late is not true
                and earlier.session_date < work.first_day
            order by earlier.session_date desc
            limit 1 offset 2
        ), '-infinity') as read_from
    from {{ work() }} as work
    inner join markets on work.listing_id = markets.market_id
),

read as materialized (
    select
        bars.*,
        stretches.first_day,
        count(*) over (partition by bars.market_id, bars.session_date, stretches.first_day) as quotes,
        lag(bars.close, 1) over sessions_of_listing as close_1,
        lag(bars.close, 2) over sessions_of_listing as close_2,
        lag(bars.close, 3) over sessions_of_listing as close_3
    from stretches
    cross join
        lateral (
            select session_bars.*
            from {{ ref('session_bars') }} as session_bars
            where
                session_bars.listing_id = stretches.listing_id
                and session_bars.is_late is not true
                and session_bars.session_date >= stretches.read_from
                and session_bars.session_date < stretches.end_day
            order by session_bars.session_date
        ) as bars
    window sessions_of_listing as (partition by bars.listing_id, stretches.first_day order by bars.session_date)
),

bars as (
    select * from read
    where session_date >= first_day
),

cells as (
    select
        bars.market_id,
        bars.session_date,
        cells_of_bar.cell,
        bars.listing_id,
        bars.trust_rank,
        cells_of_bar.value,
        case when cells_of_bar.cell = 'volume' then 1.0 else cast(markets.tick_size as double precision) end as tick,
        bars.knowledge_time,
        bars.fetch_id,
        -- The median of a venue's own last three closes: of three, one may be wrong.
        case
            when cells_of_bar.cell <> 'volume'
                then greatest(
                    least(bars.close_1, bars.close_2), least(greatest(bars.close_1, bars.close_2), bars.close_3)
                )
        end as reference
    from bars
    inner join markets on bars.listing_id = markets.listing_id
    cross join
        lateral (
            values
            ('open', bars.open), ('high', bars.high), ('low', bars.low), ('close', bars.close), ('volume', bars.volume)
        ) as cells_of_bar (cell, value)
    where bars.quotes > 1 and cells_of_bar.value is not null
),

disputed as (
    select
        market_id,
        session_date,
        cell,
        (array_agg(reference order by trust_rank) filter (where reference is not null))[1] as reference
    from cells
    group by market_id, session_date, cell
    having max(value) - min(value) > greatest({{ var('price_tolerance') }} * min(abs(value)), max(tick) * 1.000001)
),

judged as (
    select
        cells.*,
        -- Ratios say nothing of the price of a future that has crossed zero.
        coalesce(
            disputed.reference <= 0
            or cells.value between disputed.reference / {{ var('price_jump') }} and disputed.reference * {{ var('price_jump') }},
            true
        ) as is_plausible,
        count(*) filter (where {{ agree('cells', 'others') }}) as votes
    from disputed
    inner join cells using (market_id, session_date, cell)
    inner join cells as others using (market_id, session_date, cell)
    group by
        cells.market_id, cells.session_date, cells.cell, cells.listing_id, cells.trust_rank, cells.value, cells.tick,
        cells.knowledge_time, cells.fetch_id, cells.reference, disputed.reference
),

winners as (
    select distinct on (market_id, session_date, cell) *
    from judged
    order by market_id asc, session_date asc, cell asc, is_plausible desc, votes desc, trust_rank asc
)

select
    winners.market_id,
    winning.symbol,
    winners.session_date,
    winners.cell,
    winners.listing_id as winner_id,
    winning.venue as winner,
    winners.value as winning_value,
    losers.listing_id as loser_id,
    losing.venue as loser,
    losers.value as losing_value,
    losers.value / nullif(winners.value, 0) as ratio,
    case
        when winners.is_plausible and not losers.is_plausible then 'implausible'
        when winners.votes > losers.votes then 'outvoted'
        else 'less_trusted'
    end as reason,
    winners.fetch_id as winning_fetch_id,
    losers.fetch_id as losing_fetch_id,
    greatest(winners.knowledge_time, losers.knowledge_time) as knowledge_time
from winners
inner join judged as losers using (market_id, session_date, cell)
inner join markets as winning on winners.listing_id = winning.listing_id
inner join markets as losing on losers.listing_id = losing.listing_id
where not {{ agree('winners', 'losers') }}
