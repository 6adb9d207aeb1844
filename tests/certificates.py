"""Makes certificates as servers really show them: good ones, and every kind of bad one."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

_PEM: Final = serialization.Encoding.PEM
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority; `file` holds its own certificate, for clients that trust it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    file: Path

    @classmethod
    def in_folder(cls, folder: Path, name: str) -> Self:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _signed(name, key, name, key, authority=True)
        file = folder / f"{name}.pem"
        file.write_bytes(certificate.public_bytes(_PEM))
        return cls(certificate, key, file)

    def vouches_for(self, host: str, *, begins: timedelta = -_DAY, ends: timedelta = _DAY) -> ssl.SSLContext:
        """The TLS context of a server with that name; `begins` and `ends` count from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = _common_name(self.certificate)
        certificate = _signed(host, key, issuer, self.key, begins=begins, ends=ends)
        return _context(self.file.parent / f"{host}-{begins.days}-{ends.days}.pem", key, certificate)


def self_signed(folder: Path, host: str) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    return _context(folder / f"{host}-alone.pem", key, _signed(host, key, host, key))


def _signed(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    begins: timedelta = -_DAY,
    ends: timedelta = _DAY,
    authority: bool = False,
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(issuer_key, SHA256())
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _common_name(certificate: x509.Certificate) -> str:
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def _context(file: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> ssl.SSLContext:
    plain = serialization.NoEncryption()
    private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, plain)
    file.write_bytes(private + certificate.public_bytes(_PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def only_tls_1_0(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context
