"""A certificate authority of one run, and the certificate of the emulator on loopback."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_NAMES = ("localhost", "127.0.0.1", "::1")
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """`ca` is the file that clients must trust; `context` is what the server speaks TLS with."""

    ca: Path
    context: ssl.SSLContext


def issue(folder: Path, *, expired: bool = False) -> Certificates:
    """Make an authority and a certificate for localhost, 127.0.0.1 and ::1; only the authority's is written to `folder`.

    `expired` makes one that ran out long ago, to see clients refuse it.
    """
    import trustme  # noqa: PLC0415 - part of an extra

    authority = trustme.CA(organization_name="arguard emulator")
    leaf = authority.issue_cert(
        *_NAMES,
        not_before=_LONG_AGO if expired else None,
        not_after=_LONG_AGO.replace(year=2021) if expired else None,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    ca = folder / "emulator-ca.pem"
    authority.cert_pem.write_to_path(ca)
    return Certificates(ca=ca, context=context)
