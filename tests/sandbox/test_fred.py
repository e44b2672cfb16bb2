"""The stored series are the ones of the package that they were copied from."""

import base64
import hashlib

import pytest

from sandbox import fred

# Lines of the RECORD of the wheel arch 8.0.0: the hash that its author's build gave each file.
RECORD = {
    "core-cpi": "gfyRLVlnrSP0s3IqEPdoZwNEBTVLjwPzlR684x5b1BI",
    "default": "zFRTBoztx-9INpVjWNzh0g6vHmObacMQenUxqOa7mC0",
    "vix": "QQvQc2DceY9yBtaBuDR8YVDn-9iwX7GuKbviyZhdZu8",
    "wti": "uDSYiUE4plzcFKZ_wXFqqQs8_aJ0-Xa9NpLMPxUACE0",
}


@pytest.mark.parametrize("name", RECORD)
def test_a_file_is_byte_for_byte_that_of_the_package(name: str) -> None:
    digest = hashlib.sha256((fred.DATA / f"{name}.csv.gz").read_bytes()).digest()
    assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == RECORD[name]


def test_every_series_has_its_file_and_the_licence_and_origin_lie_beside_them() -> None:
    assert {file for file, _, _ in fred.SERIES.values()} == set(RECORD)
    assert {path.name for path in fred.DATA.iterdir()} == {"README.md", "LICENSE.md", *(f"{n}.csv.gz" for n in RECORD)}
    assert all(fred.observations(series) for series in fred.SERIES)
