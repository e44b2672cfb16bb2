{# A pattern that finds `text` as a whole word, letters as they are: an apple is not Apple. #}
{% macro whole_word(text) -%}
    '\m' || regexp_replace({{ text }}, '([^[:alnum:] ])', '\\\1', 'g') || '(?!\w)'
{%- endmacro %}
