"""The commands `strades backtest`, `sweep` and `study`. What they need is imported when one of them runs.

What data and terms are made of is read from the context by the names of the parameters, see `choices_of`.
"""

from typing import Annotated

import typer

from strades_pipelines.research import research_options as opt

app = typer.Typer()


@app.command()
def backtest(
    context: typer.Context,
    strategy: opt.Named,
    bars: opt.BarFiles = None,
    trades: opt.TradeFiles = None,
    every: opt.Every = None,
    adjust: opt.Adjust = None,
    actions: opt.Actions = None,
    currency: opt.Currencies = None,
    rates: opt.RateFile = None,
    calendar: opt.Calendars = None,
    instrument: opt.Instruments = None,
    interval: opt.Interval = None,
    resample: opt.Resample = None,
    as_of: opt.AsOf = None,
    from_: opt.From = None,
    to: opt.To = None,
    param: opt.Parameters = None,
    cash: opt.Cash = 100_000.0,
    fee: opt.FeeSpec = "none",
    fill: opt.FillSpec = "next-open",
    size: opt.SizeSpec = None,
    tactic: opt.TacticSpecs = None,
    leverage: opt.Leverage = None,
    long_only: opt.LongOnly = False,
    max_weight: opt.MaxWeight = None,
    limit: opt.LimitSpecs = None,
    fit_cash: opt.FitCash = False,
    lot: opt.Lot = 0.0,
    multiplier: opt.Multiplier = 1.0,
    tick: opt.Tick = 0.0,
    decide_from: opt.DecideFrom = None,
    close_at_end: Annotated[bool, typer.Option(help="Close every position at the last close.")] = False,
    benchmark: opt.Benchmark = None,
    mode: opt.Mode = "auto",
    no_ledger: opt.NoLedger = False,
    as_json: opt.Json = False,
    html: opt.Html = None,
    png: opt.Png = None,
    layout: opt.LayoutFile = None,
) -> None:
    """Run a strategy over bars of the past: fills, statistics, and what the result is worth."""
    from strades_pipelines.research.backtesting import Outputs, run_backtest

    data, terms = opt.choices_of(context.params)
    outputs = Outputs(as_json, html, png, layout, keeps_trial=not no_ledger)
    run_backtest(strategy, param or (), data, terms, mode, outputs, benchmark)


@app.command()
def sweep(
    context: typer.Context,
    strategy: opt.Named,
    range_: opt.Ranges = None,
    choices: opt.Choices = None,
    bars: opt.BarFiles = None,
    trades: opt.TradeFiles = None,
    every: opt.Every = None,
    adjust: opt.Adjust = None,
    actions: opt.Actions = None,
    currency: opt.Currencies = None,
    rates: opt.RateFile = None,
    calendar: opt.Calendars = None,
    instrument: opt.Instruments = None,
    interval: opt.Interval = None,
    resample: opt.Resample = None,
    as_of: opt.AsOf = None,
    from_: opt.From = None,
    to: opt.To = None,
    param: opt.Parameters = None,
    cash: opt.Cash = 100_000.0,
    fee: opt.FeeSpec = "none",
    fill: opt.FillSpec = "next-open",
    size: opt.SizeSpec = None,
    tactic: opt.TacticSpecs = None,
    leverage: opt.Leverage = None,
    long_only: opt.LongOnly = False,
    max_weight: opt.MaxWeight = None,
    limit: opt.LimitSpecs = None,
    fit_cash: opt.FitCash = False,
    lot: opt.Lot = 0.0,
    multiplier: opt.Multiplier = 1.0,
    mode: opt.Mode = "auto",
    jobs: Annotated[int | None, typer.Option(help="How many sets run at once.", show_default="one a core")] = None,
    cluster: opt.Cluster = None,
    sort: Annotated[
        str, typer.Option(help="sharpe, equity, drawdown or fills: what says which set is best.")
    ] = "sharpe",
    no_ledger: opt.NoLedger = False,
    as_json: opt.Json = False,
    html: opt.Html = None,
) -> None:
    """Run a strategy with many sets of parameters, and see whether the best stands on a plateau."""
    from strades_pipelines.research.sweeping import SweepChoice, run_sweep

    data, terms = opt.choices_of(context.params)
    choice = SweepChoice(range_ or (), choices or (), jobs, cluster, sort, as_json, html, keeps_trials=not no_ledger)
    run_sweep(strategy, param or (), data, terms, mode, choice)


@app.command()
def study(
    context: typer.Context,
    strategy: opt.Named,
    range_: opt.Ranges = None,
    choices: opt.Choices = None,
    bars: opt.BarFiles = None,
    trades: opt.TradeFiles = None,
    every: opt.Every = None,
    adjust: opt.Adjust = None,
    actions: opt.Actions = None,
    currency: opt.Currencies = None,
    rates: opt.RateFile = None,
    calendar: opt.Calendars = None,
    instrument: opt.Instruments = None,
    interval: opt.Interval = None,
    resample: opt.Resample = None,
    as_of: opt.AsOf = None,
    from_: opt.From = None,
    to: opt.To = None,
    param: opt.Parameters = None,
    cash: opt.Cash = 100_000.0,
    fee: opt.FeeSpec = "none",
    fill: opt.FillSpec = "next-open",
    size: opt.SizeSpec = None,
    tactic: opt.TacticSpecs = None,
    leverage: opt.Leverage = None,
    long_only: opt.LongOnly = False,
    max_weight: opt.MaxWeight = None,
    limit: opt.LimitSpecs = None,
    fit_cash: opt.FitCash = False,
    lot: opt.Lot = 0.0,
    multiplier: opt.Multiplier = 1.0,
    mode: opt.Mode = "auto",
    method: Annotated[
        str, typer.Option(help="walk-forward, or purged (combinatorial cross-validation).")
    ] = "walk-forward",
    train: Annotated[int, typer.Option(help="Of walk-forward: days to choose a set on.")] = 252,
    test: Annotated[int, typer.Option(help="Of walk-forward: days after them to judge it on.")] = 63,
    anchored: Annotated[
        bool, typer.Option("--anchored", help="Of walk-forward: choose on all days since the first.")
    ] = False,
    groups: Annotated[int, typer.Option(help="Of purged: blocks that the days are cut into.")] = 6,
    test_groups: Annotated[int, typer.Option(help="Of purged: blocks to judge on at a time.")] = 2,
    purge: Annotated[int, typer.Option(help="Days whose outcome a day reaches into: left out between the two.")] = 0,
    embargo: Annotated[
        int | None,
        typer.Option(help="Of purged: days behind a judged block not chosen on.", show_default="1 % of the days"),
    ] = None,
    jobs: Annotated[int, typer.Option(help="How many sets run at once, each in a process.")] = 1,
    cluster: opt.Cluster = None,
    no_ledger: opt.NoLedger = False,
    as_json: opt.Json = False,
) -> None:
    """Choose among sets of parameters on some days and judge the choice on others: what is left out of sample."""
    from strades_pipelines.research.studying import StudyChoice, run_study

    data, terms = opt.choices_of(context.params)
    lengths = (train, test, anchored, groups, test_groups, purge, embargo)
    choice = StudyChoice(range_ or (), choices or (), method, *lengths, as_json, not no_ledger, jobs, cluster)
    run_study(strategy, param or (), data, terms, mode, choice)
