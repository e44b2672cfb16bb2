{# True for dates in [min_date, max_date) of the run's variables; a missing variable leaves that side open. #}
{% macro in_window(date_column, until=true) -%}
    (
        true
        {%- if var('min_date', none) is not none %}
        and {{ date_column }} >= cast('{{ var("min_date") }}' as date)
        {%- endif %}
        {%- if until and var('max_date', none) is not none %}
        and {{ date_column }} < cast('{{ var("max_date") }}' as date)
        {%- endif %}
    )
{%- endmacro %}
