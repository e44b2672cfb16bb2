{#
    Pre-hook of `news`, as `take_stale` is of tables by listing: takes the articles that changed from `ops.changed_rows`, and
    from `ops.stale` the days of which all articles have to be looked through, and leaves the articles to work out in the
    temporary table `work` (source, article_id). What an editor changed may be known long after the article: all such
    articles are among those of any day.
#}
{% macro take_changed_articles() -%}
    {%- set relation = this.schema ~ "." ~ this.identifier -%}
    create temporary table taken (listing_id integer, days daterange) on commit drop;
    with gone as (delete from ops.stale where relation = '{{ relation }}' returning days)
    insert into taken (days) select days from gone;
    insert into taken (days)
    select daterange(null, null)
    {% if is_incremental() -%}
    where coalesce(obj_description('{{ this }}'::regclass, 'pg_class'), '') <> '{{ project_version() }}'
    {%- endif %};
    create temporary table work on commit drop as
    with gone as (
        delete from ops.changed_rows where reader = '{{ relation }}' returning key[1] as source, key[2] as article_id
    ),
    spans as (select unnest(range_agg(days)) as days from taken)
    select source, article_id from gone
    union
    select articles_of_span.source, articles_of_span.article_id
    from spans
    cross join
        lateral (
            select articles.source, articles.article_id
            from {{ ref("stg_records__articles") }} as articles
            where
                articles.knowledge_time >= coalesce(cast(lower(spans.days) as timestamp) at time zone 'UTC', '-infinity')
                and articles.knowledge_time < coalesce(cast(upper(spans.days) as timestamp) at time zone 'UTC', 'infinity')
            order by articles.knowledge_time
        ) as articles_of_span
    union
    select source, article_id from records.article_revisions where exists (select 1 from spans);
    create temporary table built on commit drop as select {{ not is_incremental() }} as at_once;
    analyze work
{%- endmacro %}
