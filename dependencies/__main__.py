"""`python -m dependencies COMMAND`: look after the environment's packages; `USAGE` names the commands."""

import sys

from dependencies.audit import audit_problems
from dependencies.licences import LicenceError
from dependencies.notice import problems, update_notice
from dependencies.sbom import sbom_document
from dependencies.sizes import package_sizes, size_report
from dependencies.unused import remove_unused

USAGE = "expected `sizes`, `remove-unused`, `notice`, `check`, `sbom` or `audit` (reads the JSON of pip-audit)"


def main(arguments: list[str]) -> int:
    """Run one command; 0, 1 when something is not right, 2 when the command is unknown."""
    match arguments:
        case ["sizes"]:
            print(size_report(package_sizes()))
        case ["remove-unused"]:
            remove_unused()
        case ["sbom"]:
            print(sbom_document(), end="")
        case ["audit"]:
            return _print_problems(audit_problems(sys.stdin.read()))
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
    return _print_problems(found)


def _print_problems(problems: list[str]) -> int:
    for line in problems:
        print(line, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
