"""A package's licence is read from what it says, and judged."""

import pytest

from dependencies.licences import LicenceError, is_allowed, licence_of
from tests.dependencies.conftest import Install


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (["License-Expression: Apache-2.0 AND MIT"], "Apache-2.0 AND MIT"),
        (["License: BSD 3-Clause"], "BSD-3-Clause"),
        (["License: MPL-2.0 AND MIT"], "MPL-2.0 AND MIT"),
        (["License: BSD 3-Clause License", "        ", "        Copyright ..."], "BSD-3-Clause"),
        (["License: Copyright (c) 2014", "Classifier: License :: OSI Approved :: MIT License"], "MIT"),
        (["Classifier: License :: OSI Approved", "Classifier: License :: OSI Approved :: BSD License"], "BSD"),
        (["License-Expression: AGPL-3.0-only"], "AGPL-3.0-only"),
    ],
)
def test_the_expression_comes_before_the_free_text_and_that_before_classifiers(
    install: Install, metadata: list[str], expected: str
) -> None:
    assert licence_of(install("somebody", *metadata)) == expected


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        ["License: as you like"],
        ["Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)"],
        [
            "Classifier: License :: OSI Approved :: MIT License",
            "Classifier: License :: OSI Approved :: Apache Software License",
        ],
    ],
)
def test_a_package_that_does_not_say_is_an_error_that_names_it(install: Install, metadata: list[str]) -> None:
    with pytest.raises(LicenceError, match=r"^somebody: .*READ_IN_THE_WHEEL"):
        licence_of(install("somebody", *metadata))


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("LGPL-3.0-only", True),
        ("BSD-2-Clause AND Apache-2.0 WITH LLVM-exception", True),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("Artistic-1.0 OR GPL-2.0-or-later", True),
        ("GPL-2.0-or-later", False),
        ("AGPL-3.0-only", False),
        ("SSPL-1.0", False),
        ("MIT AND AGPL-3.0-only", False),
        ("MIT OR MIT AND GPL-3.0-only", True),
        ("(MIT OR MIT) AND GPL-3.0-only", False),
        ("LicenseRef-Proprietary", False),
    ],
)
def test_one_side_of_or_suffices_and_both_of_and_are_needed(expression: str, allowed: bool) -> None:
    assert is_allowed(expression) is allowed


@pytest.mark.parametrize("expression", ["", "MIT MIT", "MIT AND", "(MIT", "MIT)", "OR MIT", "MIT, BSD", "()"])
def test_what_is_no_expression_is_refused(expression: str) -> None:
    with pytest.raises(LicenceError, match="expected"):
        is_allowed(expression)
