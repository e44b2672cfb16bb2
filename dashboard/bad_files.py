"""Files that people bring: one that cannot be taken is refused as a whole."""


class FileRefused(Exception):
    """The file is not what it should be; the text is the kind that was expected."""
