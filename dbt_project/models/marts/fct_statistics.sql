with observations as (
    select * from {{ source('records', 'observations') }}
),

months as (
    select
        series,
        unit,
        cast(date_trunc('month', event_time at time zone 'UTC') as date) as month,
        count(*) as observations,
        min(value) as lowest,
        max(value) as highest,
        avg(value) as mean,
        max(event_time) as last_event_time,
        max(knowledge_time) as last_known_time
    from observations
    group by series, unit, cast(date_trunc('month', event_time at time zone 'UTC') as date)
)

select
    months.series,
    months.unit,
    months.month,
    months.observations,
    months.lowest,
    months.highest,
    months.mean,
    observations.value as last_value,
    months.last_event_time,
    months.last_known_time,
    observations.value - lag(observations.value) over (partition by months.series, months.unit order by months.month) as change
from months
inner join observations on months.series = observations.series and months.last_event_time = observations.event_time
