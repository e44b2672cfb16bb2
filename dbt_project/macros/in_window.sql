{# True for dates in [min_date, max_date) of the run's variables; a missing variable leaves that side open. #}
{% macro in_window(date_column) -%}
    (
        {{ before_window_end(date_column) }}
        {%- if var('min_date', none) is not none %}
        and {{ date_column }} >= cast('{{ var("min_date") }}' as date)
        {%- endif %}
    )
{%- endmacro %}


{# True for dates before max_date: what a factor that accumulates from the first day needs. #}
{% macro before_window_end(date_column) -%}
    {%- if var('max_date', none) is not none -%}
        {{ date_column }} < cast('{{ var("max_date") }}' as date)
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}
