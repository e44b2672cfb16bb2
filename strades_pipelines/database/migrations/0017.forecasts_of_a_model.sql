-- depends: 0013.stale

-- The first forecast of each model is found without reading the others.
CREATE INDEX ON predictions.forecasts (model_id, decision_time);
