"""A certificate for TLS on this machine, where none of an authority is named: it issues itself, so browsers ask."""

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

VALID = timedelta(days=397)  # browsers take none that is valid for longer
RENEWED = timedelta(days=30)  # before its end, at the next start


def local_certificate(folder: Path, names: Sequence[str], *, now: datetime | None = None) -> tuple[Path, Path]:
    """The certificate and its private key in `folder`, for `names`; made again where they change or it expires soon.

    Args:
        names: host names, and IP addresses (those of version 6 in brackets).
        now: UTC; None for the wall clock.
    """
    now = now or datetime.now(UTC)
    certificate, key = folder / "certificate.pem", folder / "certificate.key"
    if not key.is_file() or not _is_good(certificate, names, now):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        made, private = _make(names, now)
        # The key before the certificate: one that is there has its key.
        for path, written in ((key, private), (certificate, made)):
            path.touch(mode=0o600)
            path.write_bytes(written)
    return certificate, key


def _is_good(path: Path, names: Sequence[str], now: datetime) -> bool:
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
        listed = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    # Read back as what was written: names, then addresses.
    written = {str(entry.value) for entry in listed}
    return written == {name.strip("[]") for name in names} and found.not_valid_after_utc - now > RENEWED


def _make(names: Sequence[str], now: datetime) -> tuple[bytes, bytes]:
    """A certificate and its key, PEM. ECDSA over P-256 (FIPS 186-5), as RFC 5280 says of an end entity."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Strades on this machine")])
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign"),
        False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # a browser's clock may be behind
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([_general_name(name.strip("[]")) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=True, encipher_only=False, decipher_only=False, **usage), critical=True
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    certificate = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private


def _general_name(name: str) -> object:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
