"""The options that the commands of research share."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from strades_pipelines.research.backtest_inputs import DataChoice, TermsChoice

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, and nothing else there.")]
Cluster = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Run on this Ray cluster, 127.0.0.1:6379 say (extra `cluster`).")
]
Named = Annotated[
    str, typer.Argument(metavar="STRATEGY", help="A name of the library, or FILE.py:Class (FILE.py where it has one).")
]
BarFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--bars",
        metavar="[NAME=]FILE",
        help="csv, csv.gz or parquet with ts_utc (the open, UTC), open, high, low, close, volume. Again for more.",
    ),
]
TradeFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--trades",
        metavar="[NAME=]FILE",
        help="csv, csv.gz or parquet with ts_utc, price, amount, to make bars of. Again for more.",
    ),
]
Every = Annotated[
    str | None,
    typer.Option(
        metavar="SPEC", help="With --trades, what makes a bar: 1m, 1h, 1000ticks, 50volume, 1000000notional, ..."
    ),
]
Adjust = Annotated[
    list[str] | None,
    typer.Option(
        "--adjust",
        metavar="[NAME=]FILE",
        help="LEAN factor file: prices x price factor x split factor, volume / split factor; in the order of --bars.",
    ),
]
Actions = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="csv of splits and dividends: symbol, date (ex), kind (split or dividend), value, [currency].",
    ),
]
Calendars = Annotated[
    list[str] | None,
    typer.Option(
        "--calendar",
        metavar="[NAME=]CALENDAR",
        help="Of exchange_calendars, XNYS say, or 24/7: daily bars close with their session, not 24 hours after "
        "ts_utc. Of one instrument as NAME=XNYS; again for more.",
    ),
]
Instruments = Annotated[
    list[str] | None,
    typer.Option("--instrument", metavar="[VENUE:]SYMBOL", help="Bars of the database instead of files."),
]
Interval = Annotated[
    str | None, typer.Option(help="1m, 4h, 1d: which bars of the database; of files, in place of the usual spacing.")
]
From = Annotated[str | None, typer.Option("--from", metavar="TIME", help="Bars from this day or time (UTC) on.")]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Bars before this day or time (UTC).")]
Currencies = Annotated[
    list[str] | None,
    typer.Option(
        "--currency", metavar="[NAME=]CODE", help="The account's currency, and that of an instrument in another one."
    ),
]
RateFile = Annotated[
    str | None,
    typer.Option(
        "--rates", metavar="FILE", help="csv of ts_utc (known from then on), base, quote, rate: what a base costs."
    ),
]
AsOf = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Bars of the database as they were stored at this time (UTC), whatever was corrected since.",
        show_default="as they are now",
    ),
]
Parameters = Annotated[
    list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="A parameter of the strategy. Again for more.")
]
Ranges = Annotated[
    list[str] | None,
    typer.Option("--range", metavar="NAME=START:STOP:STEP", help="Values of a parameter; the stop is not one."),
]
Choices = Annotated[list[str] | None, typer.Option(metavar="NAME=A,B", help="Values of a parameter, one by one.")]
Cash = Annotated[float, typer.Option(help="What the account starts with.")]
FeeSpec = Annotated[
    str,
    typer.Option(
        "--fee",
        metavar="SPEC",
        help="none, percent:0.1, per-share:0.005,min=1,max-percent=1, maker-taker:0.02,0.05, tiered:0=0.1,100000=0.08, "
        "per-contract:2.5; rates are percent of the notional.",
    ),
]
FillSpec = Annotated[
    str,
    typer.Option(
        "--fill",
        metavar="SPEC",
        help="next-open or same-close, then any of participation=0.1 (a share of the volume), spread=0.02 and "
        "slippage=0.05 (percent), amount=0.01 (a price), impact=0.1, latency=5s, path=worst|best.",
    ),
]
SizeSpec = Annotated[
    str | None,
    typer.Option("--size", metavar="SPEC", help="How large a position is: percent:99.75,whole, for example."),
]
TacticSpecs = Annotated[
    list[str] | None, typer.Option("--tactic", metavar="SPEC", help="A tactic by name and parameters. Again for more.")
]
Leverage = Annotated[
    float | None,
    typer.Option(
        help="Gross value of positions over equity at most; 1: cash never below zero.", show_default="no limit"
    ),
]
FitCash = Annotated[
    bool,
    typer.Option(
        "--fit-cash/--refuse", help="With --leverage 1: a target that cash and fee do not allow is cut, not refused."
    ),
]
Resample = Annotated[
    str | None, typer.Option(metavar="INTERVAL", help="Make bars of this length of those of the files: 1h, 1d.")
]
Benchmark = Annotated[
    str | None, typer.Option(metavar="FILE", help="Bars that the result is compared with, for alpha and beta.")
]
LongOnly = Annotated[bool, typer.Option("--long-only/--allow-short", help="Whether targets below zero are refused.")]
MaxWeight = Annotated[
    float | None, typer.Option(help="Percent of equity in one instrument at most.", show_default="no limit")
]
LimitSpecs = Annotated[
    list[str] | None,
    typer.Option(
        "--limit", metavar="NAME=VALUE", help="A limit as in Wallets.json: max-order-notional=1000. Again for more."
    ),
]
Lot = Annotated[float, typer.Option(help="The unit of quantities; 0 for any fraction.")]
Tick = Annotated[float, typer.Option(help="The unit of the prices of fills; 0 for any.")]
DecideFrom = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="Before this time (UTC) the strategy only warms up.", show_default="the first bar"
    ),
]
Multiplier = Annotated[float, typer.Option(help="Money a point of price is worth, for contracts.")]
Mode = Annotated[str, typer.Option(help="auto (compiled where it can be), events or compiled.")]
NoLedger = Annotated[bool, typer.Option("--no-ledger", help="Do not keep the run as a trial on its data.")]
Html = Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with charts that works offline.")]
LayoutFile = Annotated[
    Path | None,
    typer.Option("--layout", metavar="FILE.json", help="Cards and panels of --html, in their order: docs/bundles.md."),
]
Png = Annotated[Path | None, typer.Option(metavar="FILE", help="Write a picture.")]

# The fields whose option has another name.
FIELDS = {
    "bars": "files",
    "calendar": "calendars",
    "instrument": "instruments",
    "from_": "start",
    "to": "end",
    "currency": "currencies",
    "tactic": "tactics",
    "limit": "limits",
}


def choices_of(options: Mapping[str, Any]) -> "tuple[DataChoice, TermsChoice]":
    """The data and the terms that the options of a command ask for.

    Args:
        options: by the names of the command's parameters; None, or one that the command lacks, is the default.
    """
    from strades_pipelines.research.backtest_inputs import DataChoice, TermsChoice

    given = {FIELDS.get(name, name): value for name, value in options.items() if value is not None}
    data, terms = (
        {field.name: given[field.name] for field in fields(cls) if field.name in given}
        for cls in (DataChoice, TermsChoice)
    )
    return DataChoice(**data), TermsChoice(**terms)
