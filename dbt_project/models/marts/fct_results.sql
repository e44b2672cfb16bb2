with wallets as (
    select * from {{ source('trading', 'wallets') }}
),

fills as (
    select
        wallet,
        count(*) as fills,
        sum(quantity * price) as turnover,
        -- A fee in a currency that no rate was known of is in no sum.
        sum(case when fee_in_units then fee * price when fee_currency is null then fee else fee_value end) as fees,
        max(filled_at) as last_filled_at
    from {{ source('trading', 'fills') }}
    group by wallet
),

refusals as (
    select
        wallet,
        count(*) as refusals
    from {{ source('trading', 'refusals') }}
    group by wallet
),

newest as (
    select distinct on (wallet)
        wallet,
        time as valued_at,
        equity,
        benchmark
    from {{ source('results', 'equity') }}
    order by wallet asc, time desc
),

performance as (
    select
        wallet,
        cast(statistics ->> 'total_return' as double precision) as total_return,
        cast(statistics ->> 'sharpe' as double precision) as sharpe,
        cast(statistics ->> 'max_drawdown' as double precision) as max_drawdown,
        cast(benchmark ->> 'total_return' as double precision) as benchmark_total_return
    from {{ source('results', 'performance') }}
)

select
    wallets.wallet,
    wallets.mode,
    wallets.strategy,
    wallets.currency,
    wallets.state,
    wallets.opened_at,
    wallets.window_end,
    wallets.opening_cash,
    newest.valued_at,
    newest.equity,
    newest.benchmark,
    performance.total_return,
    performance.sharpe,
    performance.max_drawdown,
    performance.benchmark_total_return,
    coalesce(fills.fills, 0) as fills,
    coalesce(fills.turnover, 0) as turnover,
    coalesce(fills.fees, 0) as fees,
    coalesce(refusals.refusals, 0) as refusals,
    fills.last_filled_at
from wallets
left join newest using (wallet)
left join performance using (wallet)
left join fills using (wallet)
left join refusals using (wallet)
