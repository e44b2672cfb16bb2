"""`python -m dependencies sizes|remove-unused|notice|check`: look after the environment's packages."""

import sys

from dependencies.licences import LicenceError
from dependencies.notice import problems, update_notice
from dependencies.sizes import package_sizes, size_report
from dependencies.unused import remove_unused

USAGE = "expected `sizes`, `remove-unused`, `notice` or `check`"


def main(arguments: list[str]) -> int:
    """Run one command; 0, 1 when a licence or NOTICE.md is not right, 2 when the command is unknown."""
    match arguments:
        case ["sizes"]:
            print(size_report(package_sizes()))
        case ["remove-unused"]:
            remove_unused()
        case ["notice" | "check" as command]:
            return _notice(command)
        case _:
            print(f"dependencies: {USAGE}", file=sys.stderr)
            return 2
    return 0


def _notice(command: str) -> int:
    """Write NOTICE.md, or say what is not right in it."""
    try:
        if command == "notice":
            update_notice()
        found = problems()
    except LicenceError as error:
        found = [str(error)]
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
