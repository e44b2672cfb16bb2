"""Which paths a file of a bundle may have: those that every file system takes, and no other."""

import re

CODE_FOLDER, CONTENT_FOLDER = "code/", "content/"
# A part begins with no dot, so that none is `..`; a folder has none, so that no file stands where a folder would. The
# rest is what every file system takes.
_NAME = "[A-Za-z0-9_][A-Za-z0-9_-]{0,59}"
_CODE_PATH = re.compile(rf"code/(?:{_NAME}/){{0,4}}{_NAME}\.py")
_CONTENT_PATH = re.compile(rf"content/(?:{_NAME}\.json|bodies/{_NAME}\.body)")
# Names that Windows keeps for devices, whatever ending they have: a file of one cannot be written there.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])", re.IGNORECASE)


def is_bundle_path(path: str) -> bool:
    """Whether a path may be a file of a bundle: code or content, of plain letters, in it, and no device's name."""
    is_path = _CODE_PATH.fullmatch(path) or _CONTENT_PATH.fullmatch(path)
    return bool(is_path) and not any(_DEVICE.fullmatch(part.partition(".")[0]) for part in path.split("/"))
