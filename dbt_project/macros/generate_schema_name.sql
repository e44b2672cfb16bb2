{# A model's schema is its +schema, without the target's name before it: asset key [layer, entity] = schema.table. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
