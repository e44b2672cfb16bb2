-- Features at full width; what each is stands in the registry (strades_pipelines/predictor/families) and in docs/features.md.
ALTER TABLE features.daily
ADD COLUMN return_2 double precision,
ADD COLUMN return_10 double precision,
ADD COLUMN return_60 double precision,
ADD COLUMN overnight_return double precision,
ADD COLUMN intraday_return double precision,
ADD COLUMN sma_ratio_20 double precision,
ADD COLUMN sma_cross_10_50 double precision,
ADD COLUMN ema_ratio_10 double precision,
ADD COLUMN slope_20 double precision,
ADD COLUMN straightness_20 double precision,
ADD COLUMN z_score_20 double precision,
ADD COLUMN stochastic_14 double precision,
ADD COLUMN channel_50 double precision,
ADD COLUMN aroon_25 double precision,
ADD COLUMN cci_20 double precision,
ADD COLUMN volatility_5 double precision,
ADD COLUMN volatility_60 double precision,
ADD COLUMN volatility_ratio_5_60 double precision,
ADD COLUMN downside_20 double precision,
ADD COLUMN skewness_20 double precision,
ADD COLUMN parkinson_20 double precision,
ADD COLUMN garman_klass_20 double precision,
ADD COLUMN true_range_14 double precision,
ADD COLUMN volume_ratio_5 double precision,
ADD COLUMN volume_deviation_20 double precision,
ADD COLUMN money_flow_14 double precision,
ADD COLUMN signed_volume_20 double precision,
ADD COLUMN illiquidity_20 double precision,
ADD COLUMN vwap_ratio_20 double precision,
ADD COLUMN price_volume_20 double precision,
ADD COLUMN weekday double precision,
ADD COLUMN day_of_month double precision,
ADD COLUMN days_to_month_end double precision,
ADD COLUMN month_sine double precision,
ADD COLUMN month_cosine double precision,
ADD COLUMN days_since_session double precision,
ADD COLUMN eurusd_return_1 double precision,
ADD COLUMN eurusd_return_20 double precision,
ADD COLUMN eurjpy_return_5 double precision,
ADD COLUMN eurgbp_return_5 double precision,
ADD COLUMN eurusd_volatility_20 double precision,
ADD COLUMN yield_10y double precision,
ADD COLUMN yield_10y_change_5 double precision,
ADD COLUMN term_spread double precision,
ADD COLUMN vix double precision,
ADD COLUMN vix_change_5 double precision,
ADD COLUMN news_count_1 double precision,
ADD COLUMN news_count_5 double precision,
ADD COLUMN news_surprise double precision,
ADD COLUMN news_tone_5 double precision,
ADD COLUMN all_news_count_1 double precision,
ADD COLUMN all_news_tone_5 double precision,
ADD COLUMN rank_return_1 double precision,
ADD COLUMN rank_return_5 double precision,
ADD COLUMN rank_return_20 double precision,
ADD COLUMN rank_volatility_20 double precision,
ADD COLUMN rank_volume_ratio_20 double precision,
ADD COLUMN peers_return_1 double precision,
ADD COLUMN excess_return_1 double precision,
ADD COLUMN excess_return_20 double precision;

-- Why there is no forecast, in one line.
ALTER TABLE predictions.forecasts
ADD COLUMN reason text;
-- How the linear model (ridge) did on the same session; null where it made no forecast.
ALTER TABLE predictions.scores
ADD COLUMN linear_error double precision;

-- Models that could not be trained, until they can: one row a model and month.
CREATE TABLE predictions.failures (
    name        text NOT NULL,
    month       date NOT NULL,
    model_id    text NOT NULL,                -- the id it would have had
    reason      text NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (name, month)
);

-- How a model did on the horizons that were closed when a month began: it speaks for the decisions of that month.
CREATE TABLE predictions.standings (
    name             text NOT NULL,
    month            date NOT NULL,
    known_at         timestamptz NOT NULL,    -- the month's first instant
    scored           integer NOT NULL,        -- forecasts of the year before that were scored by then
    mse              double precision NOT NULL,
    mse_naive        double precision NOT NULL, -- of "no change" on the same sessions
    mse_linear       double precision,        -- of ridge on those of them that it forecast too
    worse_than_naive boolean,                 -- null while too few are scored to say
    recorded_at      timestamptz NOT NULL,
    PRIMARY KEY (name, month)
);
