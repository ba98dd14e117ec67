"""`arguard emulate`: an Azure of one's own on loopback, over a snapshot, until Ctrl-C."""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory
from time import sleep
from typing import TYPE_CHECKING

from scanner import kql
from scanner.cli import Terminated, logs
from scanner.cli.failures import say
from scanner.cli.terminal import tell
from scanner.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from scanner.emulator.exchange import Seen
    from scanner.emulator.server import Emulator

_LOG = logging.getLogger("arguard")
_WHAT = "The emulator"
_QUERY = "resources | project id | take 3"


def run(  # noqa: PLR0913 - one parameter for each option of the command line
    *, snapshot: Path, port: int, faults: Path | None, quota: str, latency: int, roles: Path | None, verbose: int = 0
) -> int:
    """Serve a snapshot until Ctrl-C, which is the normal end: 0.

    `port` 0 takes a free one, `quota` is such as "15/5s" or empty for none, `latency` is in milliseconds.
    """
    kql.require(_WHAT)
    if importlib.util.find_spec("trustme") is None:
        raise MissingExtraError(_WHAT, "offline")
    from scanner.emulator.estate import Estate  # noqa: PLC0415 - this and what follows need the extra
    from scanner.emulator.faults import read_faults  # noqa: PLC0415
    from scanner.emulator.quota import Quota  # noqa: PLC0415
    from scanner.emulator.roles import Roles, read_roles  # noqa: PLC0415
    from scanner.emulator.server import serve  # noqa: PLC0415

    limit = Quota.parse(quota) if quota else None
    script, held = read_faults(faults) if faults else (), read_roles(roles) if roles else Roles()
    with TemporaryDirectory(prefix="arguard-") as spool, ExitStack() as stack:
        stack.enter_context(logs.to(sys.stderr, verbose=verbose, quiet=False, file=None))
        estate = Estate.open(snapshot, Path(spool))
        serving = serve(estate, port=port, quota=limit, latency=latency / 1000, faults=script, roles=held, watch=_note)
        try:
            emulator = stack.enter_context(serving)
        except OSError as error:
            hint = "Leave --port out to take a free one."
            raise UsageError(f"--port {port}: {error.strerror or error}", hint=hint) from None
        _until_interrupted("\n".join(_lines(emulator, snapshot)))
    return 0


def _lines(emulator: Emulator, snapshot: Path) -> Iterator[str]:
    """What makes a shell use the emulator; the remarks are comments of the shell, so that the whole may be pasted."""
    graph = '"$ARGUARD_ENDPOINT/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01"'
    body = f"""'{{"query": "{_QUERY}"}}'"""
    yield f"# Serving {str(snapshot)!a} until Ctrl-C. Set these in the shell that is to use it, and in no other:"
    yield f"export ARGUARD_ENDPOINT={emulator.url}"
    yield f"export ARGUARD_TOKEN={quote(emulator.token)}"
    yield f"export REQUESTS_CA_BUNDLE={quote(str(emulator.ca))}"
    yield f"export NODE_EXTRA_CA_CERTS={quote(str(emulator.ca))}"
    yield "# arguard:  arguard scan --all"
    yield f"# az:       az rest --method post --url {graph} --skip-authorization-header \\"
    yield f'#             --headers "Authorization=Bearer $ARGUARD_TOKEN" --body {body}'
    yield '# curl:     curl --cacert "$REQUESTS_CA_BUNDLE" -H "Authorization: Bearer $ARGUARD_TOKEN" \\'
    yield f"#             -H 'Content-Type: application/json' -d {body} {graph}"


def _note(seen: Seen) -> None:
    """Log one answered request; what it held may be anything, so it is spelled in ASCII."""
    _LOG.info("%s %s %d: %d", seen.method, seen.route, seen.number, seen.status)
    _LOG.debug("  %s %s", ascii(seen.path), ascii(seen.query) if seen.query else "")


def _until_interrupted(text: str) -> None:
    try:
        tell(text)
        while True:
            sleep(3600)
    except Terminated:
        raise
    except KeyboardInterrupt:
        say(sys.stderr, "the emulator has ended")
