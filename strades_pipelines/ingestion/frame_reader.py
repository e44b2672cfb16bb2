"""Batches of a stream's frames: a JSON text sequence (RFC 7464), each frame behind a record separator.

The separator is no letter that a JSON text may have, so that a frame of nonsense costs none of its neighbours.
"""

from collections.abc import Iterable
from typing import Any

from strades_pipelines.datamanager.json_pointer import ABSENT, matches, resolve
from strades_pipelines.datamanager.protocol import Output, Read
from strades_pipelines.datamanager.strict_json import JsonError, loads
from strades_pipelines.ingestion.blocks import Block
from strades_pipelines.ingestion.json_reader import cell_of, raw_text
from strades_pipelines.ingestion.verdicts import BodyRefused, one_line

SEPARATOR = b"\x1e"


def join_frames(frames: Iterable[bytes]) -> bytes:
    """The frames of a batch as one body, in their order."""
    return b"".join(SEPARATOR + frame + b"\n" for frame in frames)


class FrameReader:
    """A batch of frames, each decoded by itself. A file that others recorded may have one a line instead."""

    def __init__(self, read: Read, body: bytes) -> None:
        if body.startswith((b"{", b"[")):
            body = join_frames(body.splitlines())
        if not body.startswith(SEPARATOR):
            raise BodyRefused(f"expected frames behind record separators, was {one_line(repr(body[:40]))}")
        self.frames = [frame.removesuffix(b"\n") for frame in body.split(SEPARATOR)[1:]]

    def scalar(self, pointer: str) -> object:
        """Nothing: a batch says nothing as a whole."""
        return None

    def block(self, output: Output) -> Block:
        """The rows of an output: an object, or an array of objects, in each frame, but for those of other outputs."""
        rows: list[dict[str, Any]] = []
        places: list[str] = []
        lost = []
        for number, frame in enumerate(self.frames):
            where = f"frame {number}{output.rows}"
            try:
                found = resolve(loads(frame), output.rows)
            except JsonError as error:
                lost.append(("frame_not_json", where, one_line(f"{error}: {frame[:200]!r}")))
                continue
            for row in found if isinstance(found, list) else [found]:
                if output.match is not None and not matches(row, output.match):
                    continue
                if isinstance(row, dict):
                    rows.append(row)
                    places.append(where)
                else:
                    lost.append(("not_an_object", where, "nothing" if row is ABSENT else raw_text(row)))
        cells = {name: [cell_of(row, str(field.at)) for row in rows] for name, field in output.fields.items()}
        return Block(len(rows), cells, places.__getitem__, lambda i: raw_text(rows[i]), {}, lost)
