"""The commands of `strades bundle`. What they need is imported when one of them runs."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from strades_pipelines.research import research_options as opt

if TYPE_CHECKING:
    from strades_pipelines.sharing.bundle_file import Bundle

app = typer.Typer(
    no_args_is_help=True, help="Strategies, features, protocols and layouts as signed files that others can verify."
)
File = Annotated[Path, typer.Argument(metavar="FILE", help="A bundle.")]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The bundle to write.")]
Name = Annotated[str, typer.Option(help="Small letters, digits, - and _; with --version, one bundle of yours.")]
Version = Annotated[str, typer.Option(help="1.0.0, say.")]
Title = Annotated[str, typer.Option(help="One line for people.")]
Licence = Annotated[str, typer.Option(help="Of the files, as SPDX names it: Apache-2.0.")]
Source = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Where the files of data come from.", show_default="not stated")
]
DataLicence = Annotated[
    str | None, typer.Option(metavar="TEXT", help="What they may be used for.", show_default="not stated")
]


@app.command()
def make(
    context: typer.Context,
    strategy: opt.Named,
    output: Output,
    name: Name,
    version: Version,
    title: Title,
    licence: Licence,
    source: Source = None,
    data_licence: DataLicence = None,
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


@app.command("make-features")
def make_features(
    context: typer.Context,
    function: Annotated[str, typer.Argument(metavar="FILE.py[:FUNCTION]", help="features(bars) of a file.")],
    output: Output,
    name: Name,
    version: Version,
    title: Title,
    licence: Licence,
    source: Source = None,
    data_licence: DataLicence = None,
    bars: opt.BarFiles = None,
    calendar: opt.Calendars = None,
    instrument: opt.Instruments = None,
    interval: opt.Interval = None,
    resample: opt.Resample = None,
    as_of: opt.AsOf = None,
    from_: opt.From = None,
    to: opt.To = None,
    as_json: opt.Json = False,
) -> None:
    """Run a function over bars where it is shut in, and write it with the hash of each feature. Refuses look-ahead."""
    from strades_pipelines.operations.bundling import make_feature_file
    from strades_pipelines.sharing.manifest import read_label

    data, _ = opt.choices_of({key: value for key, value in context.params.items() if key != "source"})
    label = read_label(name=name, version=version, title=title, licence=licence)
    _tell(make_feature_file(function, data, label, output, stated=(source, data_licence)), as_json)


@app.command("make-protocol")
def make_protocol(
    protocol: Annotated[Path, typer.Argument(metavar="FILE.json", help="The protocol.")],
    body: Annotated[list[Path], typer.Option(metavar="FILE", help="An answer that it reads; again for more.")],
    output: Output,
    name: Name,
    version: Version,
    title: Title,
    licence: Licence,
    given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="What the bodies do not say, as symbol=BTC_USDT."),
    ] = None,
    fetched_at: Annotated[
        str | None, typer.Option(metavar="TIME", help="When they were fetched, UTC.", show_default="now")
    ] = None,
    source: Source = None,
    data_licence: DataLicence = None,
    as_json: opt.Json = False,
) -> None:
    """Parse bodies as a protocol says where it is shut in, and write both with the records that came of it."""
    from strades_pipelines.operations.bundling import make_protocol_file
    from strades_pipelines.sharing.manifest import read_label

    label = read_label(name=name, version=version, title=title, licence=licence)
    stated = (source, data_licence)
    _tell(make_protocol_file(protocol, body, given or (), label, output, fetched_at=fetched_at, stated=stated), as_json)


@app.command("make-layout")
def make_layout(
    layout: Annotated[Path, typer.Argument(metavar="FILE.json", help="The layout of a tear sheet.")],
    output: Output,
    name: Name,
    version: Version,
    title: Title,
    licence: Licence,
    as_json: opt.Json = False,
) -> None:
    """Write the layout of a tear sheet, with the headings that this Strades draws by it."""
    from strades_pipelines.operations.bundling import make_layout_file
    from strades_pipelines.sharing.manifest import read_label

    _tell(
        make_layout_file(layout, read_label(name=name, version=version, title=title, licence=licence), output), as_json
    )


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
    """Write a bundle's files into the home, in the sandbox world first. Nothing of it is run."""
    from strades_pipelines.operations.bundling import install_file

    path = install_file(file, key)
    print(json.dumps({"file": str(path)}) if as_json else f"installed: {path}")


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
    from strades_pipelines.sharing.manifest import DeclaredBars

    has_code = isinstance(bundle.manifest, DeclaredBars)
    told = {**summary(bundle), "reaches": list(reaches(bundle.files)) if has_code else []}
    if as_json:
        sys.stdout.write(json.dumps(told) + "\n")
        return
    print("\n".join(_lines(bundle, told)))


def _lines(bundle: "Bundle", told: dict[str, Any]) -> list[str]:
    from strades_pipelines.sharing.manifest import DeclaredBars, Manifest, ProtocolManifest

    manifest, claims = bundle.manifest, dict(bundle.manifest.result.claims)
    if isinstance(manifest, Manifest):
        claims = {name: claims.get(name) for name in ("total_return", "sharpe", "max_drawdown", "fills")}
    data: list[str] = []
    if isinstance(manifest, DeclaredBars):
        data = [
            f"data      {one.instrument}: {one.rows} bars, {one.first:%Y-%m-%d} to {one.last:%Y-%m-%d}; "
            f"{one.source}; licence: {one.licence}"
            for one in manifest.data
        ]
    elif isinstance(manifest, ProtocolManifest):
        data = [f"body      {one.file}: {one.source}; licence: {one.licence}" for one in manifest.bodies]
    return [
        f"bundle    {manifest.name} {manifest.version}: {manifest.title}",
        f"kind      {manifest.kind}",
        f"author    {manifest.fingerprint}",
        f"licence   {manifest.licence}",
        f"asks for  {', '.join(manifest.permissions) or 'nothing'}",
        f"reaches   {', '.join(told['reaches']) or 'nothing beside Strades'}",
        *data,
        f"claims    {', '.join(f'{name} {value}' for name, value in claims.items())}",
        f"sha256    {told['sha256']}",
    ]
