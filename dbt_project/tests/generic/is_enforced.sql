{#
    Fails unless the database itself holds every row of the table to a constraint: it then refuses a row that breaks it, and
    nothing has to be read again to know that none does. A warning: new rows are held to it in any case, and an old row that
    breaks it is no reason to stop runs.
#}
{% test is_enforced(model, constraint_name) %}
{{ config(severity="warn") }}
    select '{{ constraint_name }}' as missing_constraint
    where not exists (
        select 1
        from pg_catalog.pg_constraint
        where conrelid = '{{ model }}'::regclass and conname = '{{ constraint_name }}' and convalidated
    )
{% endtest %}
