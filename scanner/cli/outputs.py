"""Where reports go: parsed and tried before the scan, then written whole or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO

import reporters
from scanner.cli.terminal import let_go, print_console
from scanner.errors import OutputError, UsageError
from scanner.model import ScanResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One report: its format, and its file (None: stdout)."""

    format: str
    file: Path | None


def parse(texts: Sequence[str]) -> tuple[Output, ...]:
    """Read every `FORMAT[=FILE]`; raises UsageError for unknown formats, two on stdout, or one file twice."""
    problems: list[str] = []
    outputs: list[Output] = []
    for text in texts:
        name, equals, file = text.partition("=")
        if name not in reporters.names():
            close = get_close_matches(name, reporters.names(), n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(reporters.names())}"
            problems.append(f"-o {text}: there is no format '{name}' ({hint})")
        elif equals and not file:
            problems.append(f"-o {text}: the file name is missing")
        else:
            outputs.append(Output(format=name, file=Path(file) if file else None))
    on_stdout = [output.format for output in outputs if output.file is None]
    if len(on_stdout) > 1:
        problems.append(f"-o {' -o '.join(on_stdout)}: two outputs on stdout; give all but one a file: -o FORMAT=FILE")
    files = [output.file.resolve() for output in outputs if output.file]
    problems.extend(f"{file}: two outputs have this file" for file in sorted({one for one in files if files.count(one) > 1}))
    if problems:
        raise UsageError("\n".join(problems))
    return tuple(outputs)


def check(outputs: Sequence[Output], *, inputs: Mapping[str, Path], quiet: bool) -> None:
    """Find out before the scan whether every output can be written; raises OutputError naming each that cannot.

    `inputs` are folders that are read, by what they are called.
    """
    problems = [f"{one.file}: {why}" for one in outputs if one.file and (why := _obstacle(one.file, inputs))]
    if sys.stdout is None and (not quiet or any(one.file is None for one in outputs)):
        problems.append("stdout: is closed; write to files with -o FORMAT=FILE and -q")
    if problems:
        raise OutputError("\n".join(problems), hint="nothing was scanned; mend the output and run again")


def write(outputs: Sequence[Output], result: ScanResult) -> list[str]:
    """Write every report, each whole or not at all; returns what could not be written and why."""
    problems: list[str] = []
    for output in outputs:
        try:
            if output.file:
                _to_file(reporters.load(output.format).render(result), output.file)
            elif output.format == "console":
                print_console(result, sys.stdout)
            else:
                _to_stream(reporters.load(output.format).render(result), sys.stdout.buffer)
        except OutputError as error:
            problems.append(f"{output.format} to {error}")
        except OSError as error:
            problems.append(f"{output.format} to {output.file or 'stdout'}: {error.strerror or error}")
        except Exception as error:  # noqa: BLE001 - one broken reporter must not take the others with it
            problems.append(f"{output.format} to {output.file or 'stdout'}: a bug in the reporter ({type(error).__name__})")
    return problems


def _obstacle(file: Path, inputs: Mapping[str, Path]) -> str:
    """Why an output cannot be written; empty if it can."""
    return _unfit(file) or _unfit_folder(file.parent, inputs)


def _unfit(file: Path) -> str:
    if file.is_symlink():
        return "is a symbolic link; outputs are never written through one"
    if file.is_dir():
        return "is a folder; name a file in it"
    if file.exists() and not file.is_file():
        return "is no ordinary file; without =FILE a report goes to stdout"
    return ""


def _unfit_folder(folder: Path, inputs: Mapping[str, Path]) -> str:
    if not folder.is_dir():
        return f"the folder {folder} does not exist; create it first"
    for name, read in inputs.items():
        if folder.resolve().is_relative_to(read.resolve()):
            return f"lies in the {name}, which is never changed"
    try:
        with NamedTemporaryFile(dir=folder, prefix=".arguard-"):
            return ""
    except OSError as error:
        return f"the folder {folder} cannot be written to ({error.strerror})"


def _to_stream(chunks: Iterable[bytes], stream: BinaryIO) -> None:
    """Write a report that was asked for on stdout: unlike the console, it counts as written only when it was taken whole."""
    try:
        stream.writelines(chunks)
        stream.flush()
    except OSError:
        let_go(stream)
        raise


def _to_file(chunks: Iterable[bytes], file: Path) -> None:
    """Write beside the target (mode 0600), flush to the disk, rename: readers see the old file or the new one."""
    with NamedTemporaryFile(dir=file.parent, prefix=".arguard-", delete=False) as stream:
        temporary = Path(stream.name)
        try:
            stream.writelines(chunks)
            stream.flush()
            os.fsync(stream.fileno())
        except BaseException:
            stream.close()
            temporary.unlink(missing_ok=True)
            raise
    try:
        temporary.replace(file)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
