"""How options are declared: each can come from the environment, and the help shows them in groups."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from itertools import groupby
from typing import Any, Self

import click

from scanner.ids import canonical

SCOPE, ASKING, JUDGE, OUTPUT = "What is judged", "How Azure is asked", "What decides", "Output"
AUTHS = ("cli", "workload", "managed", "pipelines", "env", "default")
CLOUDS = ("public", "usgov", "china")
NO_SCOPE = "say what to look at: --subscription ID, --management-group NAME, or --all that this identity may read"
GUID_HINT = "`az account list --output table` shows the id of each subscription"

_SECONDS = {"s": 1, "m": 60, "h": 3600}
_DEADLINE = re.compile(r"([1-9][0-9]{0,5})([smh])")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_GROUP = re.compile(r"[A-Za-z0-9_.()-]{1,90}")


class Option(click.Option):
    """An option that the help shows under `group`."""

    def __init__(self, *declarations: Any, group: str = "", **settings: Any) -> None:
        super().__init__(*declarations, **settings)
        self.group = group


class Command(click.Command):
    """A command whose help shows its options in groups, in the order of their declaration."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section for each group."""
        options = [one for one in self.get_params(ctx) if isinstance(one, click.Option)]
        shown = [(one.group if isinstance(one, Option) else "Other", one.get_help_record(ctx)) for one in options]
        for group, records in groupby(shown, key=lambda item: item[0]):
            rows = [record for _, record in records if record]
            if rows:
                with formatter.section(group):
                    formatter.write_dl(rows)


def option(*names: str, group: str, **settings: Any) -> Callable[[Any], Any]:
    """An option that can also be set as ARGUARD_<NAME>; flags win."""
    long = next(name for name in names if name.startswith("--"))
    variable = "ARGUARD_" + long.strip("-").replace("-", "_").upper()

    return click.option(*names, cls=Option, group=group, envvar=variable, **settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Azure:
    """What is asked of Azure and how, as the command line said it: the options that every such command has."""

    subscriptions: tuple[str, ...]
    management_groups: tuple[str, ...]
    everything: bool
    auth: str
    cloud: str
    endpoint: str
    deadline: str
    quota: int

    @classmethod
    def take(cls, options: dict[str, Any]) -> Self:
        """Take them out of all options of a command."""
        return cls(**{field.name: options.pop(field.name) for field in fields(cls)})

    @property
    def names_scope(self) -> bool:
        """Whether any of the three ways to name a scope was used."""
        return bool(self.subscriptions or self.management_groups or self.everything)

    @property
    def seconds(self) -> float:
        """The deadline."""
        return float(int(self.deadline[:-1]) * _SECONDS[self.deadline[-1]])

    @property
    def ids(self) -> tuple[str, ...]:
        """The subscriptions as the engine knows them."""
        return tuple(sorted({canonical(one) for one in self.subscriptions}))

    def problems(self) -> Iterator[str]:
        """Everything that is wrong with these options, one line each."""
        for text in self.subscriptions:
            if not _GUID.fullmatch(canonical(text)):
                yield f"--subscription {text}: write the subscription's id, a GUID"
        for text in self.management_groups:
            if not _GROUP.fullmatch(text):
                yield f"--management-group {text}: write the group's id, such as contoso-prod, not a path or a display name"
        if self.everything and (self.subscriptions or self.management_groups):
            yield "--all: is everything already; leave out --subscription and --management-group, or --all"
        if not _DEADLINE.fullmatch(self.deadline):
            yield f"--deadline {self.deadline}: write a number and s, m or h, such as 90s, 30m or 2h"


def scope_options(command: Any) -> Any:
    """Which part of Azure is looked at."""
    every = option(
        "--all",
        "everything",
        is_flag=True,
        group=SCOPE,
        help="Every subscription that this identity sees. What it does not see is not missed.",
    )
    group = option(
        "--management-group",
        "management_groups",
        metavar="NAME",
        multiple=True,
        group=SCOPE,
        help="Every subscription below this management group, by its id. Repeatable.",
    )
    one = option(
        "--subscription", "subscriptions", metavar="ID", multiple=True, group=SCOPE, help="Only this subscription. Repeatable."
    )
    return one(group(every(command)))


def asking_options(command: Any) -> Any:
    """How Azure is asked."""
    for decorate in reversed((*_WHERE, *_HOW_LONG)):
        command = decorate(command)
    return command


_WHERE = (
    option(
        "--auth",
        type=click.Choice(AUTHS),
        metavar="KIND",
        default="default",
        group=ASKING,
        help="Who signs in: cli, workload, managed, pipelines, env, or default: the first of them that works.",
    ),
    option(
        "--cloud",
        type=click.Choice(CLOUDS),
        default="public",
        group=ASKING,
        help="Sign-in, endpoint and token together. Default: public.",
    ),
    option(
        "--endpoint",
        metavar="URL",
        default="",
        group=ASKING,
        help="An emulator on this machine (https://localhost:PORT) instead of Azure; ARGUARD_TOKEN holds its token.",
    ),
)
_HOW_LONG = (
    option(
        "--deadline",
        metavar="TIME",
        default="30m",
        group=ASKING,
        help="What was not answered by then is a gap: 90s, 30m, 2h. Default: 30m.",
    ),
    option(
        "--quota",
        type=click.IntRange(min=1, max=1000),
        metavar="N",
        default=15,
        group=ASKING,
        help="At most N queries in 5.2 seconds; fewer where others use the same identity. Default: 15.",
    ),
)
