"""The licence of an installed package as an SPDX expression, and whether the project may depend on it."""

import re
from importlib.metadata import Distribution

from packaging.utils import canonicalize_name

# Permissive, or copyleft that ends at the file (MPL) or at the library (LGPL). "BSD": the metadata do not say which.
ALLOWED = {
    *("0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "Artistic-1.0", "BSD", "BSD-2-Clause", "BSD-3-Clause"),
    *("CC0-1.0", "ISC", "LGPL-3.0-only", "LGPL-3.0-or-later", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "NCSA", "PSF-2.0"),
    *("PostgreSQL", "ZPL-2.1", "Zlib"),
}
# What packages without an SPDX expression write in `License` or in their classifiers.
NAMES = {
    "apache": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license version 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD",
    "bsd license": "BSD",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "psfl": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
}
# Packages whose metadata say nothing, or not enough: what the licence file in their wheel says (read 2026-11).
READ_IN_THE_WHEEL = {
    "currencyconverter": "Apache-2.0",
    "fido2": "BSD-2-Clause AND Apache-2.0 AND MPL-2.0",  # the library; two files it took over
    "namex": "Apache-2.0",
    "psycopg2-binary": "LGPL-3.0-or-later",  # with a permission to link OpenSSL
    "python-dateutil": "BSD-3-Clause",  # "applies to all code, even that also covered by Apache 2.0"
    "skops": "MIT",
    "sseclient-py": "Apache-2.0",
    "text-unidecode": "Artistic-1.0 OR GPL-2.0-or-later",  # used under the Artistic License
    "uvloop": "Apache-2.0 OR MIT",
}
TOKEN = re.compile(r"\s*(\(|\)|AND\b|OR\b|[\w.+-]+(?: WITH [\w.+-]+)?)")


class LicenceError(ValueError):
    """A licence is missing, cannot be read or is not allowed; one line."""


def licence_of(package: Distribution) -> str:
    """Return the SPDX expression of `package`; raise LicenceError when its metadata and our table do not say."""
    name = canonicalize_name(package.metadata["Name"])
    if stated := READ_IN_THE_WHEEL.get(name) or _field(package, "License-Expression"):
        return stated
    if spdx := _spdx(_field(package, "License").removeprefix("License :: OSI Approved :: ")):
        return spdx
    classifiers = package.metadata.get_all("Classifier") or ()
    known = {spdx for line in classifiers if "License ::" in line and (spdx := _spdx(line.rsplit(" :: ", 1)[-1]))}
    if len(known) != 1:
        said = f"its metadata name {len(known) or 'no'} licences; read the file in its wheel"
        raise LicenceError(f"{name}: {said}, then add it to READ_IN_THE_WHEEL in dependencies/licences.py")
    return known.pop()


def _field(package: Distribution, key: str) -> str:
    """Return the first line of a field of the metadata, or ""."""
    [value, *_] = package.metadata.get_all(key) or [""]
    return str(value).strip().partition("\n")[0].strip()


def _spdx(text: str) -> str | None:
    """Return the SPDX expression that a package's own words mean, or None."""
    if text.lower() in NAMES:
        return NAMES[text.lower()]
    try:
        return text if is_allowed(text) else None
    except LicenceError:
        return None


def is_allowed(expression: str) -> bool:
    """Whether the project may depend on a package under `expression`; raise LicenceError when it is no expression.

    Of OR one side suffices, of AND both must be allowed.
    """
    tokens = TOKEN.findall(expression)
    # `findall` passes over what is no token: it is missing here.
    if re.sub(r"\s", "", expression) != "".join(tokens).replace(" ", "") or not tokens:
        raise LicenceError(f"expected an SPDX expression, was {expression!r}")
    tokens.reverse()
    allowed = _alternatives(tokens)
    if tokens:
        raise LicenceError(f"expected an SPDX expression, was {expression!r}")
    return allowed


def _alternatives(tokens: list[str]) -> bool:
    """Judge terms joined by OR, which binds less than AND; `tokens` is a stack with the next one last."""
    allowed = _conjunction(tokens)
    while tokens and tokens[-1] == "OR":
        tokens.pop()
        allowed |= _conjunction(tokens)
    return allowed


def _conjunction(tokens: list[str]) -> bool:
    allowed = _term(tokens)
    while tokens and tokens[-1] == "AND":
        tokens.pop()
        allowed &= _term(tokens)
    return allowed


def _term(tokens: list[str]) -> bool:
    token = tokens.pop() if tokens else ")"
    if token == "(":
        allowed = _alternatives(tokens)
        if not tokens or tokens.pop() != ")":
            raise LicenceError("expected an SPDX expression, a parenthesis is open")
        return allowed
    if token in (")", "AND", "OR"):
        raise LicenceError(f"expected a licence in an SPDX expression, was {token!r}")
    return token in ALLOWED
