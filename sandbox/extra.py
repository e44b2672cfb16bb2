"""Files a user drops into `sandbox/extra/<host>/<path>`: served as that host would, to rehearse any provider."""

import mimetypes
from pathlib import Path

from sandbox.world import Reply, World, strong_etag


def answer(world: World, host: str, path: str) -> Reply:
    """The dropped file of a host and path, or a 404 that says where to put one. The query does not matter."""
    found = locate(world.extra, host, path)
    if found is None:
        hint = f"sandbox knows no {host}/{path}; drop a file at sandbox/extra/{host}/{path} to have it served\n"
        return Reply(hint.encode(), "text/plain; charset=utf-8", 404)
    body = found.read_bytes()
    kind = mimetypes.guess_type(found.name)[0] or "application/octet-stream"
    return Reply(body, kind, headers={"ETag": strong_etag(body)})


def locate(folder: Path, host: str, path: str) -> Path | None:
    """The file below `folder`, or None: nothing outside of it is reachable, neither by `..` nor through a link."""
    root = folder.resolve()
    try:
        found = (root / host / path).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):  # absent, a NUL byte, a loop of links
        return None
    inside = found.is_relative_to(root / host) and (root / host).parent == root and found.is_file()
    return found if inside else None
