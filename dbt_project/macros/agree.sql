{# True where the values of two cells are one: within the tolerance, or a tick (a page rounds, and so do floats). #}
{% macro agree(one, other) -%}
    abs({{ one }}.value - {{ other }}.value)
    <= greatest({{ var('price_tolerance') }} * least(abs({{ one }}.value), abs({{ other }}.value)), {{ one }}.tick * 1.000001)
{%- endmacro %}
