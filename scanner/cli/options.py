"""How options are declared: each can come from the environment, and the help shows them in groups."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

import click


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
