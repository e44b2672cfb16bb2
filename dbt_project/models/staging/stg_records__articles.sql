with source as (
    select * from {{ source('records', 'articles') }}
),

renamed as (
    select
        source,
        article_id,
        fetch_id,
        url,
        title,
        summary,
        text,
        language,
        knowledge_basis,
        published_at,
        knowledge_time,
        recorded_at
    from source
)

select * from renamed
