{#
    The materialization `view`, made anew only when its query has changed: its comment holds the query's hash. dbt's own
    renames and drops the old view at every run, and with it, by cascade, the views that read from it. A view has nothing to
    take in: its marks in `ops.stale` say that what it shows has changed, and that its tests have to run again.
#}
{% materialization view, adapter='postgres' %}
    {%- set target = this.incorporate(type='view') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set mark = "query " ~ local_md5(sql) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement('main', fetch_result=True) -%}
        select obj_description(to_regclass('{{ target.include(database=False) }}'), 'pg_class')
    {%- endcall %}
    {% if load_result('main')['data'][0][0] != mark %}
        {{ drop_relation_if_exists(existing) }}
        {% call statement('create') -%}
            create view {{ target }} as (
                {{ sql }}
            );
            comment on view {{ target }} is '{{ mark }}'
        {%- endcall %}
    {% endif %}
    {% call statement('take_marks') -%}
        delete from ops.stale where relation = '{{ this.schema }}.{{ this.identifier }}'
    {%- endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}
