"""Bodies of `strades bundle`: read and write files, the key and the database around the pure parts of `sharing`."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from strades_pipelines.bad_input import BadInput
from strades_pipelines.bars.bar_files import name_of
from strades_pipelines.settings import settings
from strades_pipelines.sharing.article import facts_of, template_draft
from strades_pipelines.sharing.author_key import AuthorKey
from strades_pipelines.sharing.bundle_file import Bundle, read_bundle_file, read_bytes
from strades_pipelines.sharing.installing import install
from strades_pipelines.sharing.making import Provenance, make_bundle, read_moment
from strades_pipelines.sharing.making_kinds import make_feature_set, make_layout_bundle, make_protocol_bundle
from strades_pipelines.sharing.manifest import Label, Manifest
from strades_pipelines.sharing.rerun import CodeFailed
from strades_pipelines.sharing.verification import VERIFIED, Verdict, verify_bytes
from strades_pipelines.system.regular_files import NotARegularFile, check_output

if TYPE_CHECKING:
    from strades_pipelines.research.backtest_inputs import DataChoice, TermsChoice

NOT_STATED = "not stated"
WRITERS = ("template", "chatgpt")


Stated = tuple[str | None, str | None]  # source and licence of files, as the author says them


def make_file(
    named: str,
    given: Sequence[str],
    data: "DataChoice",
    terms: "TermsChoice",
    label: Label,
    output: Path,
    *,
    stated: Stated,
) -> Bundle:
    """Make a bundle of a strategy and write it.

    Args:
        stated: of files of bars; of the database they are those of its protocols.

    Raises:
        BadInput: what cannot be used, or code that does not run where it is shut in.
    """
    return _write(
        named,
        output,
        lambda key, at: make_bundle(
            named, given, data, terms, label, key=key, at=at, provenance=_provenance(data, at, stated)
        ),
    )


def make_feature_file(named: str, data: "DataChoice", label: Label, output: Path, *, stated: Stated) -> Bundle:
    """Make a bundle of a feature set and write it; as `make_file`."""
    return _write(
        named,
        output,
        lambda key, at: make_feature_set(named, data, label, key=key, at=at, provenance=_provenance(data, at, stated)),
    )


def make_protocol_file(
    file: Path,
    bodies: Sequence[Path],
    given: Sequence[str],
    label: Label,
    output: Path,
    *,
    fetched_at: str | None,
    stated: Stated,
) -> Bundle:
    """Make a bundle of a protocol with bodies that it reads, fetched at a time (now where None), and write it.

    Raises:
        BadInput: what cannot be used, or a body that the protocol does not read.
    """
    pairs = dict(map(_pair, given))
    return _write(
        str(file),
        output,
        lambda key, at: make_protocol_bundle(
            file,
            bodies,
            pairs,
            label,
            key=key,
            at=at,
            fetched_at=at if fetched_at is None else read_moment(fetched_at, "--fetched-at"),
            provenance=_stated(stated),
        ),
    )


def make_layout_file(file: Path, label: Label, output: Path) -> Bundle:
    """Make a bundle of a report layout and write it.

    Raises:
        BadInput: what cannot be used.
    """
    return _write(str(file), output, lambda key, at: make_layout_bundle(file, label, key=key, at=at))


def _write(named: str, output: Path, make: Callable[[AuthorKey, datetime], Bundle]) -> Bundle:
    try:
        check_output(output)
    except NotARegularFile as error:
        raise BadInput(str(error)) from None
    at = settings().now()
    try:
        bundle = make(AuthorKey.read_or_make(settings().home), at)
    except CodeFailed as error:
        raise BadInput(f"{named}: {error}") from None
    output.write_bytes(bundle.body)
    return bundle


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise BadInput(f"--set: expected NAME=VALUE, found {text[:60]!r}")
    return name, value


def _stated(stated: Stated) -> Provenance:
    source, licence = stated
    return Provenance(source or NOT_STATED, licence or NOT_STATED)


def _provenance(data: "DataChoice", at: datetime, stated: Stated) -> Callable[[str], Provenance]:
    return _provenance_of_stored(data, at) if data.instruments else lambda _instrument: _stated(stated)


def verify_file(file: Path, bars: Sequence[str]) -> Verdict:
    """Verify a bundle on files of bars, `NAME=FILE` or `FILE`, and on those of the database.

    Raises:
        BadInput: it is no bundle.
    """
    return verify_bytes(read_bytes(file), dict(map(_named, bars)))


def write_article(file: Path, bars: Sequence[str], writer: str) -> str:
    """A draft about a bundle, with a first line that says who wrote it; the template also says whether it is verified.

    Raises:
        BadInput: it is no bundle, there is no such writer, or the draft says what is not in the bundle.
        ServiceFailed: the service gave none.
    """
    if writer not in WRITERS:
        raise BadInput(f"--writer: expected one of {', '.join(WRITERS)}, found {writer!r}")
    manifest = read_bundle_file(file).manifest
    if not isinstance(manifest, Manifest):
        raise BadInput(f"{file}: expected a bundle of a strategy, which has figures to write of; found {manifest.kind}")
    facts = facts_of(manifest)
    if writer == "template":
        is_verified = verify_file(file, bars).state == VERIFIED
        return f"Draft, by a template:\n\n{template_draft(facts, is_verified=is_verified)}"
    from strades_pipelines.sharing.article_service import chatgpt_draft

    model = settings().openai_model
    return f"Draft, written by ChatGPT ({model}); read it before you pass it on:\n\n{chatgpt_draft(facts)}"


def install_file(file: Path, key: str | None) -> Path:
    """Install a bundle into the home; the path of its code.

    Raises:
        BadInput: it is no bundle, of another author, or another one has its place.
    """
    bundle = read_bundle_file(file)
    if key is not None and key != bundle.manifest.fingerprint:
        raise BadInput(f"{file}: expected a bundle of the author {key}, found one of {bundle.manifest.fingerprint}")
    return install(bundle, settings().home, world=settings().world)


def _named(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if equals and not Path(text).exists():
        return name, Path(path)
    return name_of(Path(text)), Path(text)


def _provenance_of_stored(data: "DataChoice", at: datetime) -> Callable[[str], Provenance]:
    """Sources and licences of bars of the database: of the answers that they were read from."""
    as_of = at if data.as_of is None else read_moment(data.as_of)

    def provenance(name: str) -> Provenance:
        from strades_pipelines.brokerage.prices import find_listings
        from strades_pipelines.database.connection import adbc_connect
        from strades_pipelines.lineage.licences_of_rows import read_provenance
        from strades_pipelines.operations.exporting import View, read_view

        with adbc_connect() as connection, connection.cursor() as cursor:
            [listing] = find_listings(cursor, [name])
            rows = read_view(cursor, View("candle", as_of, as_of, (listing.listing_id,)))
            found = read_provenance(cursor, rows["fetch_id"].to_pylist())
        sources = sorted({f"{one['source']} ({one['protocol']})" for one in found})
        licences = sorted({str(one["licence"]) for one in found})
        return Provenance("; ".join(sources)[:200] or NOT_STATED, "; ".join(licences)[:200] or NOT_STATED)

    return provenance
