-- depends: 0012.loaded_at

-- Bodies that state a currency are read against their listing's, which the fetches from before did not note.
UPDATE rawsources.fetches AS f SET given = f.given || jsonb_build_object('currency', l.currency)
FROM records.listings AS l
WHERE
    f.protocol = 'yahoo_chart' AND NOT f.given ? 'currency'
    AND l.venue = coalesce(f.given ->> 'venue', f.source) AND l.symbol = f.given ->> 'symbol';
