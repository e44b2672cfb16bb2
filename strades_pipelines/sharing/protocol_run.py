"""What a bundle of a protocol comes to: its bodies, parsed as it says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from strades_pipelines.bad_input import BadInput
from strades_pipelines.datamanager.strict_json import JsonError, loads
from strades_pipelines.sharing.code_hashes import hash_of_rooms
from strades_pipelines.system.isolation import Limits

if TYPE_CHECKING:
    from strades_pipelines.datamanager.protocol import Protocol

ROOMS = ("datamanager", "ingestion", "market")


@dataclass(frozen=True)
class GivenBody:
    """A body by its path in the bundle, what it does not say itself, and when it was fetched (aware)."""

    file: str
    given: Mapping[str, str]
    fetched_at: datetime


@dataclass(frozen=True)
class ProtocolQuestion:
    """What is parsed: `file` is the path of the protocol in its folder."""

    names: ClassVar[tuple[str, ...]] = ("bodies",)
    file: str
    bodies: tuple[GivenBody, ...]
    limits: Limits = field(default_factory=Limits)

    def work_out(self, work: Path) -> Mapping[str, Any]:
        """Of each body the records and rejects, as `strades parse --json` prints them."""
        protocol = protocol_of((work / self.file).read_bytes())
        documents = {body.file: _document(protocol, work, body) for body in self.bodies}
        counts = {name: sum(len(document[name]) for document in documents.values()) for name in ("records", "rejects")}
        return {
            "result": {"bodies": documents},
            "claims": {"bodies": len(documents), **counts},
            "code_sha256": hash_of_rooms(*ROOMS),
        }


def protocol_of(body: bytes) -> "Protocol":
    """The protocol of a file.

    Raises:
        BadInput: it is none, in one line.
    """
    from strades_pipelines.datamanager.protocols import ProtocolError, make_protocol

    try:
        document = loads(body, parse_float=Decimal)
        if not isinstance(document, dict):
            raise ProtocolError("expected an object")
        return make_protocol(document)
    except (JsonError, ProtocolError) as error:
        raise BadInput(f"protocol: {error}") from None


def _document(protocol: "Protocol", work: Path, body: GivenBody) -> dict[str, Any]:
    from strades_pipelines.ingestion.bars import GivenError
    from strades_pipelines.ingestion.documents import describe
    from strades_pipelines.ingestion.parse import parse
    from strades_pipelines.ingestion.verdicts import BodyRefused

    content = (work / body.file).read_bytes()
    try:
        parsed = parse(protocol, content, given=body.given, fetched_at=body.fetched_at)
    except (BodyRefused, GivenError) as error:
        raise BadInput(f"{body.file}: {error}") from None
    return describe(protocol, content, parsed)
