{#
    Incremental strategy `changed_rows`: the model's rows replace those of the same key that differ, and rows of its scope
    that the model does not give any more are deleted. Identical rows are left alone, so running the same data twice
    writes nothing at all, which neither `delete+insert` nor `merge` gives. Stored rows are looked up by index and deleted by
    their place, whatever the planner believes of how many there are. The model needs `unique_key` (a list), and of
    meta either
      work_key, work_date  the columns that `work` (see `take_stale`) names: its scope is that work; work_key is the column
                           of its listing_id, or which columns are which of `work`; with work_scope, a condition over
                           `old_row` and `work`, in place of the days from first_day to end_day; or
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
    {%- set work_keys = meta.get("work_key", {}) -%}
    {%- set work_keys = work_keys if work_keys is mapping else {work_keys: "listing_id"} -%}
    {%- set same_work = [] -%}
    {%- for own, of_work in work_keys.items() -%}
        {%- do same_work.append("old_row." ~ own ~ " = work." ~ of_work) -%}
    {%- endfor -%}
    {%- set keys = feeds.values() | unique | list -%}
    {%- set until = meta.get("work_until") -%}
    {% if feeds -%}
    create temporary table touched ({% for key in keys %}{{ key }} integer, {% endfor %}days daterange) on commit drop;
    {%- endif %}

    analyze {{ source }};

    {%- set gone -%}
    delete from {{ target }} as old_row
    {% if meta.get("work_key") -%}
    where old_row.ctid = any(array(
        select found.place
        from work
        cross join lateral (
            select old_row.ctid as place, old_row.*
            from {{ target }} as old_row
            where {{ same_work | join(" and ") }}
                and {{ meta.get("work_scope", "old_row." ~ date ~ " >= work.first_day and old_row." ~ date ~ " < work.end_day") }}
            order by old_row.{{ work_keys.keys() | join(", old_row.") }}
        ) as found
        where not exists (
            select 1
            from {{ source }} as new_row
            where {{ same_key | join(" and ") | replace("old_row.", "found.") }}
        )
    ))
    {%- else -%}
    where {{ in_window("old_row." ~ date) if date else "true" }}
        and not exists (
            select 1
            from {{ source }} as new_row
            where {{ same_key | join(" and ") }}
        )
    {%- endif %}
    {{ returning("old_row", keys, date, until) }}
    {%- endset %}
    {{ noted(gone, keys) }};

    {% set replaced -%}
    delete from {{ target }} as old_row
    where old_row.ctid = any(array(
        select found.place
        from {{ source }} as new_row
        cross join lateral (
            select old_row.ctid as place, old_row.*
            from {{ target }} as old_row
            where {{ same_key | join(" and ") }}
            limit 1
        ) as found
        where (new_row.{{ columns | join(", new_row.") }})
            is distinct from (found.{{ columns | join(", found.") }})
    ))
    {{ returning("old_row", keys, date, until) }}
    {%- endset %}
    {{ noted(replaced, keys) }};

    {% set made -%}
    insert into {{ target }} as made ({{ columns | join(", ") }})
    select new_row.{{ columns | join(", new_row.") }}
    from {{ source }} as new_row
    left join lateral (
        select true as is_there
        from {{ target }} as old_row
        where {{ same_key | join(" and ") }}
        limit 1
    ) as found on true
    where found.is_there is null
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
