"""Make bundles of feature sets, protocols and report layouts: as a strategy's, worked out where it is shut in."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from strades_pipelines.bad_input import BadInput
from strades_pipelines.sharing.author_key import AuthorKey
from strades_pipelines.sharing.bundle_file import MOST_BYTES, Bundle
from strades_pipelines.sharing.feature_run import FeatureQuestion
from strades_pipelines.sharing.layout_run import LayoutQuestion
from strades_pipelines.sharing.making import (
    Provenance,
    at_a_time,
    code_files,
    described,
    hashes_of,
    options_of,
    sign,
    signed_parts,
)
from strades_pipelines.sharing.manifest import (
    Body,
    FeatureCode,
    FeatureManifest,
    Files,
    Label,
    LayoutManifest,
    ProtocolManifest,
)
from strades_pipelines.sharing.protocol_run import GivenBody, ProtocolQuestion
from strades_pipelines.sharing.rerun import rerun
from strades_pipelines.system.regular_files import read_regular

if TYPE_CHECKING:
    from strades_pipelines.research.backtest_inputs import DataChoice

FUNCTION = "features"


def make_feature_set(
    named: str,
    data: "DataChoice",
    label: Label,
    *,
    key: AuthorKey,
    at: datetime,
    provenance: Callable[[str], Provenance],
) -> Bundle:
    """A signed bundle of a function over bars, and the hashes of what it gave.

    Args:
        named: `FILE.py`, or `FILE.py:function`.
        at: when it is made, and as of when bars of the database are read that name no time; UTC.
        provenance: of the bars of an instrument, by its name.

    Raises:
        BadInput: what cannot be used; CodeFailed: the function does not run through, or looks ahead.
    """
    from strades_pipelines.strategy.registry import sources_of

    path, _, name = named.rpartition(":") if ".py:" in named else (named, "", FUNCTION)
    entry, function = Path(path).resolve(), name
    read_file(entry)
    data = at_a_time(data, at)
    bars = data.bars()
    try:
        files, file = code_files(sources_of([entry]), entry)
    except SyntaxError as error:
        raise BadInput(f"{entry.name}:{error.lineno}: expected Python, found {error.msg}") from None
    answer = rerun(files, FeatureQuestion(file, function, bars))
    manifest = FeatureManifest(
        **signed_parts(label, key, at, answer),
        code=FeatureCode(file=file, function=function, files=hashes_of(files)),
        data=tuple(described(one, data, provenance(one.name)) for one in bars),
        options=options_of(data),
    )
    return sign(manifest, files, answer, key)


def make_protocol_bundle(
    file: Path,
    bodies: Sequence[Path],
    given: Mapping[str, str],
    label: Label,
    *,
    key: AuthorKey,
    at: datetime,
    fetched_at: datetime,
    provenance: Provenance,
) -> Bundle:
    """A signed bundle of a protocol, answers that it reads, and the records that they have.

    Args:
        given: what the bodies do not say: symbol, interval, ...
        fetched_at: when they were fetched, UTC.
        provenance: where they come from and what they may be used for.

    Raises:
        BadInput: a file that cannot be read; CodeFailed: it is no protocol, or does not read a body.
    """
    contents = {f"content/bodies/{number}.body": read_file(body) for number, body in enumerate(bodies, 1)}
    entry = "content/protocol.json"
    files = {entry: read_file(file), **contents}
    asked = tuple(GivenBody(path, given, fetched_at) for path in contents)
    answer = rerun(files, ProtocolQuestion(entry, asked))
    stated = {"source": provenance.source, "licence": provenance.licence}
    manifest = ProtocolManifest(
        **signed_parts(label, key, at, answer),
        content=Files(file=entry, files=hashes_of(files)),
        bodies=tuple(Body(file=path, given=dict(given), fetched_at=fetched_at, **stated) for path in contents),
    )
    return sign(manifest, files, answer, key)


def make_layout_bundle(file: Path, label: Label, *, key: AuthorKey, at: datetime) -> Bundle:
    """A signed bundle of a report layout.

    Raises:
        BadInput: a file that cannot be read; CodeFailed: it is no layout.
    """
    entry = "content/layout.json"
    files = {entry: read_file(file)}
    answer = rerun(files, LayoutQuestion(entry))
    content = Files(file=entry, files=hashes_of(files))
    return sign(LayoutManifest(**signed_parts(label, key, at, answer), content=content), files, answer, key)


def read_file(path: Path) -> bytes:
    """The bytes of a file that goes into a bundle.

    Raises:
        BadInput: it cannot be read, or is too large.
    """
    try:
        return read_regular(path, most_bytes=MOST_BYTES)
    except OSError as error:
        raise BadInput(f"{path}: expected a file that can be read, found {error.strerror}") from None
