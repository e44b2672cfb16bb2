{#
    Incremental strategy `changed_rows`: the model's rows replace those of the same key that differ, and rows of its scope
    that the model does not give any more are deleted. Identical rows are left alone, so running the same data twice
    writes nothing at all, which neither `delete+insert` nor `merge` gives. The model needs `unique_key` (a list), and of
    meta either
      work_key, work_date  the columns that `work` (see `take_stale`) names: its scope is that work; with work_scope,
                           a condition over `old_row` and `work`, in place of the days from first_day to end_day; or
      window_column        the scope is the run's window; without either it is the whole table.
    meta `feeds` names tables that read this one, with the column that is their listing: what changed is stale in them, on
    the day work_date or on all from work_date to work_until (dates, or times of UTC and a day to either side), and in the
    number of days after it that is `feeds_reach` of the table.
#}
{% macro get_incremental_changed_rows_sql(arg_dict) %}
    {%- set target, source, meta = arg_dict["target_relation"], arg_dict["temp_relation"], config.get("meta", {}) -%}
    {%- set columns = arg_dict["dest_columns"] | map(attribute="quoted") | list -%}
    {%- set feeds = meta.get("feeds", {}) -%}
    {%- set date = meta.get("work_date", meta.get("window_column")) -%}
    {%- set same_key = [] -%}
    {%- for key in arg_dict["unique_key"] -%}
        {%- do same_key.append("new_row." ~ key ~ " = old_row." ~ key) -%}
    {%- endfor -%}
    {%- set keys = feeds.values() | unique | list -%}
    {%- set until = meta.get("work_until") -%}
    {% if feeds -%}
    create temporary table touched ({% for key in keys %}{{ key }} integer, {% endfor %}days daterange) on commit drop;
    {%- endif %}

    {%- set gone -%}
    delete from {{ target }} as old_row
    {% if meta.get("work_key") -%}
    using work
    where old_row.{{ meta.work_key }} = work.listing_id
        and {{ meta.get("work_scope", "old_row." ~ date ~ " >= work.first_day and old_row." ~ date ~ " < work.end_day") }}
    {%- else -%}
    where {{ in_window("old_row." ~ date) if date else "true" }}
    {%- endif %}
        and not exists (
            select 1
            from {{ source }} as new_row
            where {{ same_key | join(" and ") }}
        )
    {{ returning("old_row", keys, date, until) }}
    {%- endset %}
    {{ noted(gone, keys) }};

    {% set replaced -%}
    delete from {{ target }} as old_row
    using {{ source }} as new_row
    where {{ same_key | join(" and ") }}
        and (new_row.{{ columns | join(", new_row.") }})
        is distinct from (old_row.{{ columns | join(", old_row.") }})
    {{ returning("old_row", keys, date, until) }}
    {%- endset %}
    {{ noted(replaced, keys) }};

    {% set made -%}
    insert into {{ target }} as made ({{ columns | join(", ") }})
    select {{ columns | join(", ") }}
    from {{ source }} as new_row
    where not exists (
        select 1
        from {{ target }} as old_row
        where {{ same_key | join(" and ") }}
    )
    {{ returning("made", keys, date, until) }}
    {%- endset %}
    {{ noted(made, keys) }}
    {%- for reader, key in feeds.items() -%}
    ;
    insert into ops.stale (relation, listing_id, days)
    select '{{ reader }}', {{ key }}, unnest(range_agg(daterange(lower(days), upper(days) + {{ meta.get("feeds_reach", {}).get(reader, 0) }})))
    from touched
    where days <> daterange(null, null)
    group by {{ key }}
    {%- endfor %}
{% endmacro %}

{# What a statement tells of the rows that it wrote. #}
{% macro returning(row, keys, date, until) -%}
    {%- if keys -%}
    returning {% for key in keys %}{{ row }}.{{ key }} as {{ key }}, {% endfor %}{{ changed_days(row ~ "." ~ date, row ~ "." ~ until if until else none) }} as days
    {%- endif -%}
{%- endmacro %}

{# The days that a row is about. #}
{% macro changed_days(date, until) -%}
    {%- if until -%}
    daterange(cast({{ date }} at time zone 'UTC' as date) - 1, cast({{ until }} at time zone 'UTC' as date) + 2)
    {%- else -%}
    daterange({{ date }}, {{ date }} + 1)
    {%- endif -%}
{%- endmacro %}

{# The statement, and what it returns in `touched`. #}
{% macro noted(statement, keys) -%}
    {%- if keys -%}
    with written as ({{ statement }})
    insert into touched ({{ keys | join(", ") }}, days)
    select distinct {{ keys | join(", ") }}, days from written
    {%- else -%}
    {{ statement }}
    {%- endif -%}
{%- endmacro %}
