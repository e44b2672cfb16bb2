-- depends: 0013.stale 0017.forecasts_of_a_model 0020.features_by_session

-- The model that each kind ought to have for a month, as last worked out from the month's training rows. It holds until one of
-- them changes (a mark of predictions.models in ops.stale, whose days are first days of months) or the recipe does.
CREATE TABLE ops.month_models (
    month    date NOT NULL,
    name     text NOT NULL,
    recipe   text NOT NULL,     -- sha256 of (code version, kind's version, features, parameters, library versions)
    model_id text,              -- of predictions.models once it is fitted; null: too few training rows
    PRIMARY KEY (month, name)
);

-- A month is trained on what was decided in the 36 months before its first instant (TRAIN_MONTHS) and known at it.
CREATE FUNCTION predictions.months_trained_on(first timestamptz, last timestamptz) RETURNS daterange LANGUAGE sql STABLE AS $$
    SELECT daterange(
        CAST(first AT TIME ZONE 'UTC' + interval '1 day' - interval '1 microsecond' AS date),
        CAST(date_trunc('month', last AT TIME ZONE 'UTC') + interval '36 months' AS date), '[]')
$$;

CREATE FUNCTION predictions.mark_models() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO ops.stale (relation, days) VALUES ('predictions.models', daterange(NULL, NULL));
    ELSE
        INSERT INTO ops.stale (relation, days)
        SELECT 'predictions.models', unnest(range_agg(predictions.months_trained_on(decision_time, decision_time)))
        FROM (SELECT DISTINCT decision_time FROM changed) AS decisions;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER mark_inserted AFTER INSERT ON features.daily
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION predictions.mark_models();
CREATE TRIGGER mark_updated AFTER UPDATE ON features.daily
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION predictions.mark_models();
CREATE TRIGGER mark_replaced AFTER UPDATE ON features.daily
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION predictions.mark_models();
CREATE TRIGGER mark_deleted AFTER DELETE ON features.daily
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION predictions.mark_models();
CREATE TRIGGER mark_truncated AFTER TRUNCATE ON features.daily
FOR EACH STATEMENT EXECUTE FUNCTION predictions.mark_models();
CREATE TRIGGER mark_inserted AFTER INSERT ON features.alpha158
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION predictions.mark_models();
CREATE TRIGGER mark_updated AFTER UPDATE ON features.alpha158
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION predictions.mark_models();
CREATE TRIGGER mark_replaced AFTER UPDATE ON features.alpha158
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION predictions.mark_models();
CREATE TRIGGER mark_deleted AFTER DELETE ON features.alpha158
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION predictions.mark_models();
CREATE TRIGGER mark_truncated AFTER TRUNCATE ON features.alpha158
FOR EACH STATEMENT EXECUTE FUNCTION predictions.mark_models();

-- A bar is in two labels, of its session and of the one before, and stands between that and the one after. None of them is known
-- before it closes. The session before may have been decided later than this one: its bar came late.
CREATE FUNCTION predictions.mark_models_of_bars() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ops.stale (relation, days)
    SELECT 'predictions.models', unnest(range_agg(
        predictions.months_trained_on(bar.close_time, greatest(bar.knowledge_time, before.knowledge_time))
    ))
    FROM changed AS bar
    LEFT JOIN LATERAL (
        SELECT own.knowledge_time FROM cleaned.daily_bars AS own
        WHERE own.listing_id = bar.listing_id AND own.session_date < bar.session_date
        ORDER BY own.session_date DESC LIMIT 1
    ) AS before ON true;
    RETURN NULL;
END $$;

-- dbt makes the table of daily bars, at times anew: then nothing told what changed, and all training sets are read again.
CREATE FUNCTION predictions.watch_daily_bars() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'cleaned.daily_bars'::regclass AND tgname = 'mark_inserted') THEN
        RETURN;
    END IF;
    CREATE TRIGGER mark_inserted AFTER INSERT ON cleaned.daily_bars
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION predictions.mark_models_of_bars();
    CREATE TRIGGER mark_updated AFTER UPDATE ON cleaned.daily_bars
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION predictions.mark_models_of_bars();
    CREATE TRIGGER mark_replaced AFTER UPDATE ON cleaned.daily_bars
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION predictions.mark_models_of_bars();
    CREATE TRIGGER mark_deleted AFTER DELETE ON cleaned.daily_bars
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION predictions.mark_models_of_bars();
    INSERT INTO ops.stale (relation, days) VALUES ('predictions.models', daterange(NULL, NULL));
END $$;

-- Forecasts wait for their score: a mark of predictions.scores says on which dates of decisions (UTC) a listing has such.
CREATE FUNCTION predictions.mark_scores() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ops.stale (relation, listing_id, days)
    SELECT 'predictions.scores', listing_id, unnest(range_agg(daterange(day, day, '[]')))
    FROM (
        SELECT DISTINCT listing_id, CAST(decision_time AT TIME ZONE 'UTC' AS date) AS day
        FROM changed WHERE status = 'predicted'
    ) AS decisions
    GROUP BY listing_id;
    RETURN NULL;
END $$;
CREATE TRIGGER mark_inserted AFTER INSERT ON predictions.forecasts
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION predictions.mark_scores();

-- A month's standing rests on the scores that closed in the 12 months before it.
CREATE FUNCTION predictions.mark_standings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO ops.stale (relation, days) VALUES ('predictions.standings', daterange(NULL, NULL));
        INSERT INTO ops.stale (relation, listing_id, days)
        SELECT 'predictions.scores', listing_id, daterange(
            CAST(min(decision_time) AT TIME ZONE 'UTC' AS date), CAST(max(decision_time) AT TIME ZONE 'UTC' AS date), '[]')
        FROM predictions.forecasts WHERE status = 'predicted' GROUP BY listing_id;
        RETURN NULL;
    END IF;
    INSERT INTO ops.stale (relation, days)
    SELECT 'predictions.standings', unnest(range_agg(
        daterange(day + 1, CAST(date_trunc('month', CAST(day AS timestamp)) + interval '12 months' AS date), '[]')
    ))
    FROM (SELECT DISTINCT CAST(label_known_at AT TIME ZONE 'UTC' AS date) AS day FROM changed) AS days;
    IF TG_OP = 'DELETE' THEN
        INSERT INTO ops.stale (relation, listing_id, days)
        SELECT 'predictions.scores', forecast.listing_id, unnest(range_agg(daterange(
            CAST(forecast.decision_time AT TIME ZONE 'UTC' AS date), CAST(forecast.decision_time AT TIME ZONE 'UTC' AS date), '[]')))
        FROM changed INNER JOIN predictions.forecasts AS forecast ON changed.prediction_id = forecast.prediction_id
        GROUP BY forecast.listing_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER mark_inserted AFTER INSERT ON predictions.scores
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION predictions.mark_standings();
CREATE TRIGGER mark_updated AFTER UPDATE ON predictions.scores
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION predictions.mark_standings();
CREATE TRIGGER mark_replaced AFTER UPDATE ON predictions.scores
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION predictions.mark_standings();
CREATE TRIGGER mark_deleted AFTER DELETE ON predictions.scores
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION predictions.mark_standings();
CREATE TRIGGER mark_truncated AFTER TRUNCATE ON predictions.scores
FOR EACH STATEMENT EXECUTE FUNCTION predictions.mark_standings();

-- A standing that somebody took away is worked out again.
CREATE FUNCTION predictions.mark_deleted_standings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ops.stale (relation, days) VALUES ('predictions.standings', daterange(NULL, NULL));
    RETURN NULL;
END $$;
CREATE TRIGGER mark_deleted AFTER DELETE OR TRUNCATE ON predictions.standings
FOR EACH STATEMENT EXECUTE FUNCTION predictions.mark_deleted_standings();

-- The scores that closed in a month.
CREATE INDEX ON predictions.scores (label_known_at);

-- What an installation has so far was marked by nobody.
INSERT INTO ops.stale (relation, days)
SELECT
    'predictions.standings' AS relation,
    daterange(NULL, NULL) AS days
WHERE EXISTS (SELECT FROM predictions.scores);
INSERT INTO ops.stale (relation, listing_id, days)
SELECT
    'predictions.scores' AS relation,
    unscored.listing_id,
    unnest(range_agg(daterange(unscored.day, unscored.day, '[]'))) AS days
FROM (
    SELECT
        forecast.listing_id,
        (forecast.decision_time AT TIME ZONE 'UTC')::date AS day
    FROM predictions.forecasts AS forecast
    LEFT JOIN predictions.scores AS score ON forecast.prediction_id = score.prediction_id
    WHERE forecast.status = 'predicted' AND score.prediction_id IS NULL
) AS unscored
GROUP BY unscored.listing_id;
