{#
    Incremental strategy `changed_rows`: the model's rows replace those of the same key that differ, and rows of the run's
    window that the model does not give any more are deleted. Identical rows are left alone, so running the same data
    twice writes nothing at all, which neither `delete+insert` nor `merge` gives. The model needs `unique_key` (a list)
    and meta `window_column`; without a window column every run is about the whole table.
#}
{% macro get_incremental_changed_rows_sql(arg_dict) %}
    {%- set target, source = arg_dict["target_relation"], arg_dict["temp_relation"] -%}
    {%- set window_column = config.get("meta", {}).get("window_column") -%}
    {%- set columns = arg_dict["dest_columns"] | map(attribute="quoted") | list -%}
    {%- set same_key = [] -%}
    {%- for key in arg_dict["unique_key"] -%}
        {%- do same_key.append("new_row." ~ key ~ " = old_row." ~ key) -%}
    {%- endfor -%}

    delete from {{ target }} as old_row
    where {{ in_window("old_row." ~ window_column) if window_column else "true" }}
        and not exists (
            select 1
            from {{ source }} as new_row
            where {{ same_key | join(" and ") }}
        );

    delete from {{ target }} as old_row
    using {{ source }} as new_row
    where {{ same_key | join(" and ") }}
        and (new_row.{{ columns | join(", new_row.") }})
        is distinct from (old_row.{{ columns | join(", old_row.") }});

    insert into {{ target }} ({{ columns | join(", ") }})
    select {{ columns | join(", ") }}
    from {{ source }} as new_row
    where not exists (
        select 1
        from {{ target }} as old_row
        where {{ same_key | join(" and ") }}
    )
{% endmacro %}
