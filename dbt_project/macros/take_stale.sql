{#
    Pre-hook of a table that works out only what changed before it: takes its marks from `ops.stale` and leaves the days
    to work out in the temporary table `work` (listing_id, first_day, end_day exclusive), clipped to the run's window where
    the model is windowed (in its meta); what lies outside stays marked. `everything` (a query of listing_id and days) is
    work where the table is not there yet or the project has changed. In one transaction with the model: a run that dies
    leaves the marks.
#}
{% macro take_stale(everything="select listing_id, daterange(null, null) from records.listings") -%}
    {%- set windowed = execute and config.get("meta", {}).get("windowed", false) -%}
    {%- set relation = this.schema ~ "." ~ this.identifier -%}
    {%- set first, end = var("min_date", none), var("max_date", none) -%}
    {%- set window = "daterange(" ~ ("'" ~ first ~ "'" if first else "null") ~ ", " ~ ("'" ~ end ~ "'" if end else "null") ~ ")" -%}
    create temporary table taken (listing_id integer, days daterange, marked_at timestamptz default now()) on commit drop;
    with gone as (delete from ops.stale where relation = '{{ relation }}' returning listing_id, days, marked_at)
    insert into taken select listing_id, days, marked_at from gone;
    insert into taken (listing_id, days)
    select *
    from ({{ everything }}) as everything
    {% if is_incremental() -%}
    where (select coalesce(obj_description('{{ this }}'::regclass, 'pg_class'), '')) <> '{{ project_version() }}'
    {%- endif %};
    create temporary table work on commit drop as
    select
        listing_id,
        coalesce(lower(days), '-infinity') as first_day,
        coalesce(upper(days), 'infinity') as end_day
    from (
        select listing_id, unnest(range_agg({{ "days * " ~ window if windowed else "days" }})) as days
        from taken
        group by listing_id
    ) as merged;
    {% if windowed -%}
    insert into ops.stale (relation, listing_id, days, marked_at)
    select '{{ relation }}', listing_id, unnest(range_agg(days) - datemultirange({{ window }})), min(marked_at)
    from taken group by listing_id;
    {%- endif %}
    create temporary table built on commit drop as select {{ not is_incremental() }} as at_once;
    analyze work
{%- endmacro %}

{# Post-hook beside it: a table that was made at once marks all of itself for those that read it, and is analyzed. #}
{% macro settle_work() -%}
    {%- set meta = config.get("meta", {}) if execute else {} -%}
    {% for reader, key in meta.get("feeds", {}).items() -%}
    insert into ops.stale (relation, listing_id, days)
    select
        '{{ reader }}',
        {{ key }},
        daterange(
            lower(range_merge(range_agg({{ changed_days(meta.work_date, meta.get("work_until")) }}))),
            upper(range_merge(range_agg({{ changed_days(meta.work_date, meta.get("work_until")) }})))
            + {{ meta.get("feeds_reach", {}).get(reader, 0) }}
        )
    from {{ this }}
    where (select at_once from built) and {{ meta.work_date }} is not null
    group by {{ key }};
    -- And what it was about to take in: the days of a row that is gone are not among its own.
    insert into ops.stale (relation, listing_id, days)
    select '{{ reader }}', {{ "markets.market_id" if key == "market_id" else "taken.listing_id" }}, taken.days
    from taken
    {% if key == "market_id" -%}
    inner join {{ ref("markets") }} as markets on taken.listing_id = markets.listing_id or taken.listing_id = markets.market_id
    {%- endif %}
    where (select at_once from built) and not lower_inf(taken.days) and not upper_inf(taken.days);
    {% endfor -%}
    do $$ begin
        if (select at_once from built) then analyze {{ this }}; end if;
        {% for rule in (model.constraints if execute else []) if rule.name -%}
        -- A table of an older version does not have it yet, and may hold a row that breaks it: new rows are held to it at
        -- once, and the test is_enforced tells of the old one until it is mended.
        if not exists (
            select 1 from pg_catalog.pg_constraint where conrelid = '{{ this }}'::regclass and conname = '{{ rule.name }}'
        ) then
            alter table {{ this }} add constraint {{ rule.name }} check ({{ rule.expression }}) not valid;
        end if;
        if exists (
            select 1 from pg_catalog.pg_constraint
            where conrelid = '{{ this }}'::regclass and conname = '{{ rule.name }}' and not convalidated
        ) then
            begin
                alter table {{ this }} validate constraint {{ rule.name }};
            exception when check_violation then
                null;
            end;
        end if;
        {% endfor -%}
        if coalesce(obj_description('{{ this }}'::regclass, 'pg_class'), '') <> '{{ project_version() }}' then
            comment on table {{ this }} is '{{ project_version() }}';
        end if;
    end $$
{%- endmacro %}

{# A hash of the models that clean, and of what they are told: when it changes, all is worked out again once. #}
{% macro project_version() -%}
    {%- set parts = [var("trusted_venues") | string, var("price_tolerance") | string, var("price_jump") | string] -%}
    {%- do parts.append(agree("one", "other")) -%}
    {%- if execute -%}
        {%- for node in graph.nodes.values() | selectattr("resource_type", "equalto", "model") | sort(attribute="unique_id") -%}
            {%- if node.schema in ("staging", "cleaned") or node.config.meta.get("work_key") -%}
                {%- do parts.append(node.raw_code) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{- "project " ~ local_md5(parts | join("|")) -}}
{%- endmacro %}

{# The rows of `work`; unit tests, which run no hooks, put theirs in its place. #}
{% macro work() %}work{% endmacro %}

{# Stretches of `work` that meet or overlap as one: a row must come out once. #}
{% macro merge_work() -%}
    create temporary table merged on commit drop as
    select listing_id, unnest(range_agg(daterange(nullif(first_day, '-infinity'), nullif(end_day, 'infinity')))) as days
    from work group by listing_id;
    truncate work;
    insert into work select listing_id, coalesce(lower(days), '-infinity'), coalesce(upper(days), 'infinity') from merged;
    analyze work
{%- endmacro %}
