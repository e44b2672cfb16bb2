{#
    Fails with every listing of the candles that `records.listings` does not know. It goes from one listing to the next by
    the index, so that it costs as much as there are listings, however many candles they have.
#}
{% test listing_is_known(model, column_name) %}
    with recursive listings as (
        (
            select candles.{{ column_name }} as listing_id
            from {{ source("records", "candles") }} as candles
            order by candles.{{ column_name }}
            limit 1
        )

        union all

        select (
            select candles.{{ column_name }}
            from {{ source("records", "candles") }} as candles
            where candles.{{ column_name }} > listings.listing_id
            order by candles.{{ column_name }}
            limit 1
        ) as listing_id
        from listings
        where listings.listing_id is not null
    )

    select listings.listing_id
    from listings
    left join {{ ref('stg_records__listings') }} as known on listings.listing_id = known.listing_id
    where listings.listing_id is not null and known.listing_id is null
{% endtest %}
