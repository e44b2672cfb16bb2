"""The commands of `strades bundle`. What they need is imported when one of them runs."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from strades_pipelines.research import research_options as opt

if TYPE_CHECKING:
    from strades_pipelines.sharing.bundle_file import Bundle

app = typer.Typer(no_args_is_help=True, help="Strategies as signed files that others can verify.")
File = Annotated[Path, typer.Argument(metavar="FILE", help="A bundle.")]


@app.command()
def make(
    context: typer.Context,
    strategy: opt.Named,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The bundle to write.")],
    name: Annotated[str, typer.Option(help="Small letters, digits, - and _; with --version, one bundle of yours.")],
    version: Annotated[str, typer.Option(help="1.0.0, say.")],
    title: Annotated[str, typer.Option(help="One line for people.")],
    licence: Annotated[str, typer.Option(help="Of the code, as SPDX names it: Apache-2.0.")],
    source: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Where the files of bars come from.", show_default="not stated")
    ] = None,
    data_licence: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What they may be used for.", show_default="not stated")
    ] = None,
    bars: opt.BarFiles = None,
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
    tick: opt.Tick = 0.0,
    decide_from: opt.DecideFrom = None,
    close_at_end: Annotated[bool, typer.Option(help="Close every position at the last close.")] = False,
    as_json: opt.Json = False,
) -> None:
    """Run a strategy where it is shut in, and write it with its result, signed with this installation's key."""
    from strades_pipelines.operations.bundling import make_file
    from strades_pipelines.sharing.manifest import read_label

    data, terms = opt.choices_of({key: value for key, value in context.params.items() if key != "source"})
    label = read_label(name=name, version=version, title=title, licence=licence)
    bundle = make_file(strategy, param or (), data, terms, label, output, stated=(source, data_licence))
    _tell(bundle, as_json)


@app.command()
def show(file: File, as_json: opt.Json = False) -> None:
    """What a bundle says of itself, and what its code reaches for. Nothing of it is run."""
    from strades_pipelines.sharing.bundle_file import read_bundle_file

    _tell(read_bundle_file(file), as_json)


@app.command()
def verify(file: File, bars: opt.BarFiles = None, as_json: opt.Json = False) -> None:
    """Run a bundle where it is shut in, on the data that it declares; exit code 1 where it is not verified."""
    from strades_pipelines.operations.bundling import verify_file
    from strades_pipelines.sharing.verification import VERIFIED

    verdict = verify_file(file, bars or ())
    if as_json:
        sys.stdout.write(json.dumps({"state": verdict.state, "detail": verdict.detail}) + "\n")
    else:
        print(f"{verdict.state}: {verdict.detail}")
    raise typer.Exit(0 if verdict.state == VERIFIED else 1)


@app.command()
def install(
    file: File,
    key: Annotated[
        str | None, typer.Option(metavar="FINGERPRINT", help="Refuse another author's: 12ab-34cd-56ef-7890.")
    ] = None,
    as_json: opt.Json = False,
) -> None:
    """Write a bundle's code into the home, in the sandbox world first. Nothing of it is run."""
    from strades_pipelines.operations.bundling import install_file

    path = install_file(file, key)
    print(json.dumps({"code": str(path)}) if as_json else f"installed: {path}")


@app.command()
def article(
    file: File,
    bars: opt.BarFiles = None,
    writer: Annotated[
        str, typer.Option(help="template, or chatgpt: OpenAI's service, with OPENAI_API_KEY (extra `articles`).")
    ] = "template",
) -> None:
    """Draft a text about a bundle from what stands in it. Read it before you pass it on: nothing publishes it."""
    from strades_pipelines.operations.bundling import write_article

    print(write_article(file, bars or (), writer))


def _tell(bundle: "Bundle", as_json: bool) -> None:
    from strades_pipelines.sharing.code_review import reaches
    from strades_pipelines.sharing.making import summary

    told = {**summary(bundle), "reaches": list(reaches(bundle.files))}
    if as_json:
        sys.stdout.write(json.dumps(told) + "\n")
        return
    print("\n".join(_lines(bundle, told)))


def _lines(bundle: "Bundle", told: dict[str, Any]) -> list[str]:
    manifest = bundle.manifest
    claims = {name: manifest.result.claims.get(name) for name in ("total_return", "sharpe", "max_drawdown", "fills")}
    data = [
        f"data      {one.instrument}: {one.rows} bars, {one.first:%Y-%m-%d} to {one.last:%Y-%m-%d}; "
        f"{one.source}; licence: {one.licence}"
        for one in manifest.data
    ]
    return [
        f"bundle    {manifest.name} {manifest.version}: {manifest.title}",
        f"author    {manifest.fingerprint}",
        f"licence   {manifest.licence}",
        f"asks for  {', '.join(manifest.code.permissions) or 'nothing'}",
        f"reaches   {', '.join(told['reaches']) or 'nothing beside Strades'}",
        *data,
        f"claims    {', '.join(f'{name} {value}' for name, value in claims.items())}",
        f"sha256    {told['sha256']}",
    ]
