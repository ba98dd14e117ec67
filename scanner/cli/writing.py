"""Reports are written whole or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO, cast

import reporters
from reporters import Divided
from reporters.view import Profile
from scanner.cli.outputs import Output
from scanner.cli.terminal import let_go, print_console
from scanner.errors import OutputError
from scanner.model import ScanResult


def write(outputs: Sequence[Output], result: ScanResult) -> list[str]:
    """Write every report, each whole or not at all; returns what could not be written and why."""
    problems: list[str] = []
    for output in outputs:
        try:
            _write(output, result)
        except OutputError as error:
            problems.append(f"{output.name} to {error}")
        except OSError as error:
            problems.append(f"{output.name} to {output.file or 'stdout'}: {error.strerror or error}")
        except Exception as error:  # noqa: BLE001 - one broken reporter must not take the others with it
            problems.append(f"{output.name} to {output.file or 'stdout'}: a bug in the reporter ({type(error).__name__})")
    return problems


def _write(output: Output, result: ScanResult) -> None:
    reporter = reporters.load(output.format)
    if output.file is None:
        if output.format == "console":
            print_console(result, sys.stdout)
        else:
            _to_stream(reporter.render(result, output.view), sys.stdout.buffer)
    elif output.profile.folder:
        _to_folder(cast("Divided", reporter).parts(result, output.view), output.file, reporter.PROFILES[output.view.profile])
    else:
        _to_file(reporter.render(result, output.view), output.file)


def _to_folder(files: Iterable[tuple[str, Iterable[bytes]]], folder: Path, profile: Profile) -> None:
    """Write all files or none, then remove those of an earlier scan: who reads the folder would take them for this one's."""
    made: dict[str, Path] = {}
    try:
        for name, chunks in files:
            made[name] = _made(chunks, folder)
        for name, temporary in made.items():
            temporary.replace(folder / name)
    finally:
        for temporary in made.values():
            temporary.unlink(missing_ok=True)
    for file in sorted(folder.glob(profile.files)):
        if file.name not in made and file.is_file() and profile.mark in _start(file):
            file.unlink()


def _start(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(1024)


def _to_stream(chunks: Iterable[bytes], stream: BinaryIO) -> None:
    """Write a report that was asked for on stdout: unlike the console, it counts as written only when it was taken whole."""
    try:
        stream.writelines(chunks)
        stream.flush()
    except OSError:
        let_go(stream)
        raise


def _to_file(chunks: Iterable[bytes], file: Path) -> None:
    """Write beside the target and rename: readers see the old file or the new one."""
    temporary = _made(chunks, file.parent)
    try:
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def _made(chunks: Iterable[bytes], folder: Path) -> Path:
    """A file of no name yet (mode 0600), whole and flushed to the disk."""
    with NamedTemporaryFile(dir=folder, prefix=".arguard-", delete=False) as stream:
        temporary = Path(stream.name)
        try:
            stream.writelines(chunks)
            stream.flush()
            os.fsync(stream.fileno())
        except BaseException:
            stream.close()
            temporary.unlink(missing_ok=True)
            raise
    return temporary
