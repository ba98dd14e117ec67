"""The command line: the only part that prints, reads the environment or exits."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from types import FrameType


class Terminated(KeyboardInterrupt):
    """The process was asked to end by SIGTERM."""

    exit_code = 143


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; nothing escapes as a traceback."""
    from scanner.cli.commands import arguard  # noqa: PLC0415 - click is imported by the command line alone
    from scanner.cli.failures import report_failure  # noqa: PLC0415 - the same

    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = arguard.main(args=None if arguments is None else list(arguments), prog_name="arguard", standalone_mode=False)
    except BaseException as failure:  # noqa: BLE001 - the one place where everything ends
        return report_failure(failure, sys.stderr)
    return code if isinstance(code, int) else 0


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise Terminated
