{#
    Pre-hook of `gaps`: in place of `work` by day, from when on each series is worked out again. No later than the first day
    that changed, and than the first gap that may by now be out of its provider's reach; then no later than the beginning of
    a stored gap that reaches over that time, and of the last one before it, which may grow.
#}
{% macro since_of_gaps() -%}
    create temporary table series_work on commit drop as
    {% if is_incremental() -%}
    with changed as (
        select listing_id, cast(min(first_day) as timestamp) at time zone 'UTC' as first_time from work group by listing_id
    ),
    series as (
        select distinct bar_series.listing_id, bar_series.interval, changed.first_time
        from records.bar_series inner join changed on bar_series.listing_id = changed.listing_id
        union
        select stored.listing_id, stored.interval, changed.first_time
        from {{ this }} as stored inner join changed on stored.listing_id = changed.listing_id
    ),
    begun as (
        select
            series.listing_id,
            series.interval,
            least(
                series.first_time,
                (
                    select min(stored.gap_start)
                    from {{ this }} as stored
                    where
                        stored.listing_id = series.listing_id and stored.interval = series.interval
                        and stored.cause = 'not_fetched' and stored.gap_start < reaches.reach_start
                )
            ) as since
        from series
        cross join lateral (
            select max(attempts.fetched_at - make_interval(secs => asked.reach_seconds)) as reach_start
            from records.bar_series as asked
            inner join records.listings as listings on asked.listing_id = listings.listing_id
            cross join lateral (
                (
                    select fetches.fetched_at
                    from rawsources.fetches as fetches
                    where fetches.source = asked.source and fetches.given ->> 'symbol' = listings.symbol
                    order by fetches.fetched_at desc
                    limit 1
                )
                union all
                (
                    select fetches.fetched_at
                    from rawsources.fetches as fetches
                    where fetches.source = asked.source and fetches.given ->> 'symbol' is null
                    order by fetches.fetched_at desc
                    limit 1
                )
            ) as attempts
            where
                asked.listing_id = series.listing_id and asked.interval = series.interval
                and asked.reach_seconds is not null
        ) as reaches
    )
    select
        begun.listing_id,
        begun.interval,
        least(
            begun.since,
            (
                select min(stored.gap_start)
                from {{ this }} as stored
                where
                    stored.listing_id = begun.listing_id and stored.interval = begun.interval
                    and stored.gap_end >= begun.since
            ),
            (
                select max(stored.gap_start)
                from {{ this }} as stored
                where
                    stored.listing_id = begun.listing_id and stored.interval = begun.interval
                    and stored.gap_start < begun.since
            )
        ) as since
    from begun
    {%- else -%}
    select distinct listing_id, interval, cast('-infinity' as timestamptz) as since from records.bar_series
    {%- endif %};
    {% if is_incremental() -%}
    -- The law of a table that was made before bars could be left out knows no such cause: it has today's, where its rows do.
    {% for law in model.get('constraints', []) if law.type == 'check' -%}
    do $$ begin
        if not exists (
            select 1 from pg_catalog.pg_constraint where conrelid = '{{ this }}'::regclass and conname = '{{ law.name }}'
        ) then
            alter table {{ this }} drop constraint if exists gaps_are_stretches_with_a_cause;
            alter table {{ this }} add constraint {{ law.name }} check ({{ law.expression }});
        end if;
    exception when check_violation then
        raise warning 'cleaned.gaps: a row breaks {{ law.name }}; dbt build --full-refresh --select gaps';
    end $$;
    {%- endfor %}
    {%- endif %}
    drop table work;
    alter table series_work rename to work;
    analyze work
{%- endmacro %}
