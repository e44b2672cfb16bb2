"""The local certificate: what it is valid for, when it is made anew, and that TLS itself takes it."""

import socket
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509

from strades_pipelines.serving.certificate import RENEWED, VALID, local_certificate

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_it_is_kept_until_its_names_change_or_its_end_is_near(tmp_path: Path) -> None:
    certificate, key = local_certificate(tmp_path, ["localhost", "127.0.0.1"], now=NOW)
    first = certificate.read_bytes()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    nearly = NOW + VALID - RENEWED - timedelta(minutes=1)
    assert local_certificate(tmp_path, ["127.0.0.1", "localhost"], now=nearly)[0].read_bytes() == first
    renewed = local_certificate(tmp_path, ["127.0.0.1", "localhost"], now=nearly + timedelta(minutes=2))[0].read_bytes()
    assert renewed != first
    assert local_certificate(tmp_path, ["localhost"], now=nearly)[0].read_bytes() != renewed
    certificate.write_text("cut off")
    assert local_certificate(tmp_path, ["localhost"], now=nearly)[0].read_bytes().startswith(b"-----BEGIN")


def test_it_is_no_authority_and_valid_for_no_longer_than_browsers_take(tmp_path: Path) -> None:
    made = x509.load_pem_x509_certificate(local_certificate(tmp_path, ["localhost"], now=NOW)[0].read_bytes())
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert made.not_valid_after_utc - made.not_valid_before_utc <= timedelta(days=398)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_who_trusts_it_is_served_under_its_names_and_no_other(name: str, tmp_path: Path) -> None:
    certificate, key = local_certificate(tmp_path, ["localhost", "127.0.0.1"])
    assert shaken_hands(certificate, key, name)
    assert not shaken_hands(certificate, key, "strades.example.org")


def shaken_hands(certificate: Path, key: Path, name: str) -> bool:
    """Whether a client that trusts the certificate accepts a server that shows it under a name."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection = listening.accept()[0]
            try:
                serving.wrap_socket(connection, server_side=True).close()
            except (ssl.SSLError, OSError):
                connection.close()

        thread = Thread(target=serve)
        thread.start()
        client = ssl.create_default_context(cafile=certificate)
        try:
            client.wrap_socket(socket.create_connection(listening.getsockname()), server_hostname=name).close()
        except ssl.SSLCertVerificationError:
            return False
        finally:
            thread.join()
    return True
