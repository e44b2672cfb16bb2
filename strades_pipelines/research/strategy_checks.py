"""The commands `strades lookahead` and `strades startup`. What they need is imported when one of them runs."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from strades_pipelines.research import research_options as opt

if TYPE_CHECKING:
    from strades_pipelines.simulation.lookahead import Feed, Finding
    from strades_pipelines.strategy.strategy import Strategy

app = typer.Typer()
Answer = TypeVar("Answer")


@app.command()
def lookahead(
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
    from_: opt.From = None,
    to: opt.To = None,
    param: opt.Parameters = None,
    cash: opt.Cash = 100_000.0,
    fee: opt.FeeSpec = "none",
    fill: opt.FillSpec = "next-open",
    times: Annotated[int, typer.Option(min=1, help="How many times to poison what follows; and every decision.")] = 200,
    feed: Annotated[
        str | None, typer.Option(help="A function of the strategy's file, from bars to streams, to be tried with it.")
    ] = None,
    as_json: opt.Json = False,
) -> None:
    """Does a strategy know the future? Poison what is known after t; no decision up to t may change."""
    from strades_pipelines.settings import settings
    from strades_pipelines.simulation import lookahead as check
    from strades_pipelines.strategy.file_reads import files_read
    from strades_pipelines.strategy.strategy_files import silent_libraries

    data, choice = opt.choices_of(context.params)
    terms = choice.terms()
    folder = settings().home / "cache"
    with files_read(ignored=folder) as heard:
        make, title = _maker(strategy, param or (), fresh=True)
    heard |= silent_libraries(type(make()))
    streams = _feed(make, feed) if feed else check.plain
    report = _refusable(
        lambda: check.lookahead(make, data.bars(), terms, feed=streams, times=times, cache=folder, heard=heard)
    )
    summary = {"times": report.times, "decisions": report.decisions, "mode": report.mode}
    _print_findings(title, report.findings, summary, as_json)


@app.command()
def startup(
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
    from_: opt.From = None,
    to: opt.To = None,
    param: opt.Parameters = None,
    cash: opt.Cash = 100_000.0,
    fee: opt.FeeSpec = "none",
    fill: opt.FillSpec = "next-open",
    openings: Annotated[int, typer.Option(min=1, help="From how many times on to compare.")] = 20,
    tolerance: Annotated[float, typer.Option(min=0.0, help="By which part targets may differ.")] = 1e-6,
    as_json: opt.Json = False,
) -> None:
    """Does a strategy warm up as it says? Runs after 1, 2 and 4 times its lookback must decide alike."""
    from strades_pipelines.settings import settings
    from strades_pipelines.simulation import startup as check

    data, choice = opt.choices_of(context.params)
    terms = choice.terms()
    make, title = _maker(strategy, param or ())
    folder = settings().home / "cache"
    report = _refusable(
        lambda: check.startup(make, data.bars(), terms, openings=openings, tolerance=tolerance, cache=folder)
    )
    summary = {"openings": report.openings, "warm_ups": list(report.warm_ups), "mode": report.mode}
    _print_findings(title, report.findings, summary, as_json)


def _maker(named: str, param: Sequence[str], *, fresh: bool = False) -> "tuple[Callable[[], Strategy], str]":
    from strades_pipelines.strategy.strategy_files import load_strategy, make_strategy, parameters

    cls = load_strategy(named, fresh=fresh)
    given = parameters(cls, param)
    make_strategy(cls, given)  # a bad value is refused before any bar is read
    return lambda: make_strategy(cls, given), cls.title()


def _feed(make: "Callable[[], Strategy]", name: str) -> "Feed":
    from strades_pipelines.bad_input import BadInput

    module = sys.modules[type(make()).__module__]
    found: Feed | None = getattr(module, name, None)
    if not callable(found):
        raise BadInput(f"{module.__file__}: --feed: expected a function of this file, found {name!r}")
    return found


def _refusable(check: Callable[[], Answer]) -> Answer:
    """What a check says; what it raises is about what it was given."""
    from strades_pipelines.bad_input import BadInput

    try:
        return check()
    except ValueError as error:
        raise BadInput(str(error)) from None


def _print_findings(title: str, findings: "Sequence[Finding]", summary: Mapping[str, Any], as_json: bool) -> None:
    """One line for each finding, and one on what was tried; exit code 1 where there are any."""
    if as_json:
        rows = [finding.as_json() for finding in findings]
        sys.stdout.write(json.dumps({"strategy": title, **summary, "findings": rows}) + "\n")
    else:
        tried = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in summary.items())
        for finding in findings:
            sys.stdout.write(finding.line + "\n")
        sys.stdout.write(f"{title}: {len(findings) or 'no'} finding{'s' * (len(findings) != 1)} ({tried})\n")
    raise typer.Exit(1 if findings else 0)
