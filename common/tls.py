"""Whom we trust to say who a server is: the authorities this system trusts, and the operator's own."""

import ssl


class AuthoritiesUnusable(Exception):  # noqa: N818
    """One sentence for the operator."""


def trusting(ca_file: str) -> ssl.SSLContext:
    """For connecting to servers; `ca_file` holds further certificates in PEM, or is empty."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
            # Since Python 3.13, authorities that lack an extension are refused, and many private ones do.
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        except ssl.SSLError:
            raise AuthoritiesUnusable(f"holds no certificates in PEM: {ca_file}") from None
        except OSError as error:
            raise AuthoritiesUnusable(f"cannot be read: {ca_file}: {error.strerror}") from None
    return context
