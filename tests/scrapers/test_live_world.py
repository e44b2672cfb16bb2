"""The live world asks the real host, and only one that can prove who it is."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.sandbox.serving import Served
from tests.scrapers.conftest import Crawl, ask
from tests.scrapers.scripted import Line, scripted


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    """A certificate for 127.0.0.1 that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path / "both.pem"
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def test_the_live_world_asks_the_host_itself_and_trusts_no_unsigned_one(
    crawl: Crawl, sandbox: Served, connection: psycopg.Connection[Any], self_signed: ssl.SSLContext
) -> None:
    with (
        scripted({"/x": [Line(200, b"plain")]}) as plain,
        scripted({"/x": [Line(200, b"forged")]}, tls=self_signed) as forged,
    ):
        done = crawl(ask(f"{plain}/x"), ask(f"{forged}/x"), world="live", retries=0)
    assert [(entry["url"], "certificate" in entry["error"]) for entry in done.summary["failed"]] == [
        (f"{forged}/x", True)
    ]
    stored = connection.execute("SELECT url FROM rawsources.fetches WHERE outcome = 'stored'").fetchall()
    assert stored == [(f"{plain}/x",)]
    assert not sandbox.app.asked
