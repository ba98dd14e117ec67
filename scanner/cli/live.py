"""Asking Azure from the command line: sign-in, the connection, and a collection that a scan or `collect` goes on with."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any

from scanner import __version__
from scanner.cli import cures
from scanner.cli.options import Azure
from scanner.cli.progress import Display, Far
from scanner.cli.scanning import Request
from scanner.errors import UsageError
from scanner.model import Identity, Json, Options, Trace
from scanner.plan import make_plan
from scanner.policy import Pack
from scanner.redact import redact
from scanner.sources import Questions
from scanner.sources.azure import wire
from scanner.sources.azure.bounded import Late, bounded
from scanner.sources.azure.calls import Caller
from scanner.sources.azure.clouds import CLOUDS, Cloud, loopback
from scanner.sources.azure.collect import Collected, Order, Progress, collect
from scanner.sources.azure.credentials import StaticToken, credential
from scanner.sources.azure.pacer import Buckets, Pacer
from scanner.sources.azure.scope import Wanted
from scanner.sources.azure.transport import connect
from scanner.sources.azure.wire import Lost, Reply, real_timing
from scanner.sources.azure.work import Work
from scanner.sources.azure.writing import open_work, write_snapshot

SIGN_IN_SECONDS = 120.0
"""How long a sign-in may take: the slowest credentials start other programs and try several times."""
CURES = {
    "cli": "run `az login`, or `az login --identity` on a machine of Azure",
    "workload": "give the workload its federated token: the job's permission id-token, or AZURE_FEDERATED_TOKEN_FILE",
    "managed": "give this machine a managed identity; AZURE_CLIENT_ID names one of several",
    "pipelines": "run in a task of a service connection with SYSTEM_ACCESSTOKEN mapped, or use --auth cli after AzureCLI@2",
    "env": "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (or a certificate)",
    "default": "run `az login`, or name the way with --auth; `arguard doctor --auth KIND` tries one alone",
    "endpoint": "start the emulator again and use the ARGUARD_ENDPOINT and ARGUARD_TOKEN that it prints",
}
"""What to do where a sign-in fails, by kind."""

logger = logging.getLogger("arguard.azure")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """Who asks. `trouble` is why nobody could sign in, in one line; empty where it worked."""

    kind: str
    identity: Identity
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A line to Azure: calls that are paced and bounded, and who makes them."""

    cloud: Cloud
    sign_in: SignIn
    calls: Caller
    pacer: Pacer

    def far(self, progress: Progress) -> Far:
        """How far a collection over this line is."""
        now = progress.now()
        return Far(
            done=now.done,
            total=now.total,
            pages=now.pages,
            rows=now.rows,
            requests=now.requests,
            seconds=self.pacer.next_send if self.pacer.waiting else 0.0,
        )

    def meta(self, order: Order) -> Mapping[str, Json]:
        """What makes two collections the same: who asks whom, for which scope, with which version."""
        return {
            "tool": __version__,
            "endpoint": self.cloud.endpoint,
            "identity": asdict(self.sign_in.identity),
            "scope": asdict(order.wanted),
        }


def wanted(azure: Azure) -> Wanted:
    """The scope that was asked for."""
    return Wanted(
        subscriptions=azure.ids, management_groups=tuple(sorted({*azure.management_groups})), everything=azure.everything
    )


@contextmanager
def connected(azure: Azure, *, stop: Event, tell: Callable[[Trace], None]) -> Iterator[Connection]:
    """Sign in and hold a connection while the block runs. Where nobody could sign in, every call fails at once.

    Raises UsageError for an endpoint that is not on this machine, and for settings that a way to sign in lacks.
    """
    cloud = loopback(azure.endpoint) if azure.endpoint else CLOUDS[azure.cloud]
    kind = "endpoint" if azure.endpoint else azure.auth
    asked: Any = StaticToken(_token()) if azure.endpoint else credential(azure.auth, cloud, os.environ)
    timing = real_timing(stop)
    deadline = timing.clock() + azure.seconds
    pacer = Pacer(limit=azure.quota, maximum=azure.quota, timing=timing)
    with connect(cloud, asked, version=__version__) as transport:
        who = sign_in(transport.identity, kind, seconds=min(SIGN_IN_SECONDS, azure.seconds))
        calls = Caller(
            _NobodySignedIn() if who.trouble else transport,
            timing=timing,
            pacer=pacer,
            buckets=Buckets(timing=timing),
            deadline=deadline,
            stop=stop,
            tell=tell,
        )
        yield Connection(cloud=cloud, sign_in=who, calls=calls, pacer=pacer)


def sign_in(identity: Callable[[], Identity], kind: str, *, seconds: float) -> SignIn:
    """Ask for a token once, to know who asks; whatever goes wrong is told in one line and never raised."""
    try:
        return SignIn(kind=kind, identity=bounded(identity, seconds))
    except Late:
        return SignIn(kind=kind, identity=Identity(credential=kind), trouble=f"no answer within {seconds:g} s")
    except Lost as lost:
        return SignIn(kind=kind, identity=Identity(credential=kind), trouble=_one_line(lost.__cause__ or lost))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """A collection that a scan goes on with: its snapshot, who asked, every request, and what ended it early."""

    snapshot: Path
    identity: Identity
    trace: tuple[Trace, ...]
    stopped: BaseException | None
    kept: bool


def gather(request: Request, loaded: Sequence[Pack], spool: Path, *, now: datetime) -> Gathered:
    """Ask Azure what the policies need, as a snapshot in `spool`, or in the folder of --save when it was not interrupted.

    Raises UsageError for what the command line has wrong, OutputError where the folder cannot be written; trouble with
    Azure is in the snapshot.
    """
    assert request.azure is not None
    order = order_of(loaded, request.options, request.azure, frozenset({"evidence"}) if request.evidence else frozenset())
    display = Display(sys.stderr, quiet=request.quiet, verbose=request.verbose)
    trace: list[Trace] = []
    stop = Event()
    with connected(request.azure, stop=stop, tell=trace.append) as line:
        announce(line, display)
        home = request.save or spool / "snapshot"
        with open_work(home, line.meta(order), now=now, resume=False) as work:
            collected = ask(order, line, work, now=now, stop=stop, display=display)
            kept = request.save is not None and collected.stopped is None
            snapshot = home if collected.stopped is None else spool / "interrupted"
            write_snapshot(snapshot, collected, work)
    if kept:
        display.stage(f"kept in {home}; `arguard scan --snapshot {home}` judges it again")
    return Gathered(snapshot=snapshot, identity=line.sign_in.identity, trace=tuple(trace), stopped=collected.stopped, kept=kept)


def order_of(loaded: Sequence[Pack], options: Options, azure: Azure, offers: frozenset[str] = frozenset()) -> Order:
    """What the policies need of Azure, with what they are offered besides.

    Raises UsageError for policies and parameters that do not exist.
    """
    plan = make_plan(loaded, options, offers)
    return Order(questions=Questions(queries=plan.queries, sides=plan.sides), wanted=wanted(azure))


def announce(line: Connection, display: Display) -> None:
    """Say who asks, or why nobody can."""
    who = line.sign_in
    if who.trouble:
        logger.warning("sign-in failed (%s): %s; what to do: %s", who.kind, who.trouble, CURES[who.kind])
    else:
        display.stage(f"signed in {named(who.identity)} at {line.cloud.endpoint}")


def named(identity: Identity) -> str:
    """Who asks, in words: "with AzureCliCredential as <object id> of tenant <tenant>"."""
    who = f" as {identity.object_id}" if identity.object_id else ""
    return f"with {identity.credential}{who}" + (f" of tenant {identity.tenant}" if identity.tenant else "")


def ask(  # noqa: PLR0913 - what is asked, over which line, and what comes from outside
    order: Order, line: Connection, work: Work, *, now: datetime, stop: Event, display: Display
) -> Collected:
    """Collect, show how far it is, and say what to do where the way was blocked. An interruption is in the result."""
    progress = Progress(display.stage)
    with display.following(lambda: line.far(progress)):
        collected = collect(order, line.calls, work, now=now, stop=stop, progress=progress)
    for trouble in cures.told(gap for piece in collected.pieces for gap in piece.gaps):
        logger.warning("%s", trouble)
    return collected


def _one_line(error: BaseException) -> str:
    """What a credential said, at most 300 characters, without anything that looks like a secret."""
    text = " ".join(str(redact(str(error))).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__


class _NobodySignedIn:
    """A transport that fails at once, instead of trying to sign in again for every request."""

    def send(self, request: wire.Request, *, seconds: float) -> Reply:  # noqa: ARG002 - the protocol's
        raise Lost("credential", "SignInFailed")

    def forget_token(self) -> None:
        """There is none."""


def _token() -> str:
    token = os.environ.get("ARGUARD_TOKEN", "")
    if not token:
        hint = "`arguard emulate` prints ARGUARD_ENDPOINT and ARGUARD_TOKEN; unset ARGUARD_ENDPOINT to ask Azure"
        raise UsageError("--endpoint: needs the emulator's token in the environment variable ARGUARD_TOKEN", hint=hint)
    return token
