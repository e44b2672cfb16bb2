{# Post-hook of a mart with wallets: the dashboard's role sees the rows of those that its viewer may see, as in the layers below. #}
{% macro guard_wallets() -%}
    select trading.guard_wallets('{{ this.include(database=False) }}')
{%- endmacro %}
