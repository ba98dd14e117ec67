"""Which reports are asked for and where they go: read and tried before the scan."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from tempfile import NamedTemporaryFile

import reporters
from reporters.view import UNASKED, Profile, Shown, View
from scanner.errors import OutputError, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One report: its format, what is asked of it, and its file or folder (None: stdout)."""

    format: str
    view: View = UNASKED
    file: Path | None = None

    @property
    def name(self) -> str:
        """What `-o` calls it: the format, and the profile where one was named."""
        return f"{self.format}:{self.view.profile}" if self.view.profile else self.format

    @property
    def profile(self) -> Profile:
        """What this way of writing the format can do."""
        profiles = reporters.load(self.format).PROFILES
        return profiles[self.view.profile or next(iter(profiles))]


def parse(texts: Sequence[str], includes: Sequence[str] = ()) -> tuple[Output, ...]:
    """Read every `FORMAT[:PROFILE][=FILE]` and every `[FORMAT[:PROFILE]=]VERDICT,...`.

    An `--include` that names a format is for its outputs alone, one that names none for all the others.

    Raises UsageError with everything that is wrong: unknown names, two outputs on stdout, one file twice, an output that is
    asked for what it cannot show.
    """
    read = [_output(text) for text in texts]
    outputs = [one for one in read if isinstance(one, Output)]
    problems = [one for one in read if isinstance(one, str)]
    on_stdout = [output.name for output in outputs if output.file is None]
    if len(on_stdout) > 1:
        problems.append(f"-o {' -o '.join(on_stdout)}: two outputs on stdout; give all but one a file: -o FORMAT=FILE")
    files = [output.file.resolve() for output in outputs if output.file]
    problems.extend(f"{file}: two outputs have this file" for file in sorted({one for one in files if files.count(one) > 1}))
    named = {text.rpartition("=")[0] for text in includes}
    for text in includes:
        outputs, wrong = _included(text, outputs, named, unread=len(read) > len(outputs))
        problems.extend(wrong)
    if problems:
        raise UsageError("\n".join(problems))
    return tuple(outputs)


def _output(text: str) -> Output | str:
    """One output, or what is wrong with it."""
    what, equals, file = text.partition("=")
    name, colon, profile = what.partition(":")
    if name not in reporters.names():
        return f"-o {text}: there is no format '{name}' ({_meant(name, reporters.names())})"
    profiles = [one for one in reporters.load(name).PROFILES if one]
    if colon and profile not in profiles:
        hint = _meant(profile, profiles) if profiles else f"{name} has none: write -o {name}"
        return f"-o {text}: {name} has no profile '{profile}' ({hint})"
    if equals and not file:
        return f"-o {text}: the file name is missing"
    output = Output(format=name, view=View(profile=profile), file=Path(file) if file else None)
    if output.profile.folder and not file:
        return f"-o {text}: writes several files; name a folder: -o {text}=FOLDER"
    return output


def _included(text: str, outputs: list[Output], named: set[str], *, unread: bool) -> tuple[list[Output], list[str]]:
    """The outputs with what one `--include` asks of them, and what is wrong with it; `unread` outputs were refused already.

    `named` are the outputs that some `--include` names.
    """
    target, _, words = text.rpartition("=")
    known = [one.value for one in Shown]
    given = words.split(",")
    wrong = [f"--include {text}: there is no verdict '{one}' ({_meant(one, known)})" for one in given if one not in known]
    others = [one for one in outputs if not named & {one.format, one.name}]
    meant = [one for one in outputs if target in {one.format, one.name}] if target else others
    if not meant and not unread and (target or not outputs):
        wrong.append(f"--include {text}: no output is {target or 'asked for'}; name it with -o")
    if wrong:
        return outputs, wrong
    include = frozenset(map(Shown, given))
    wrong = [f"--include {text}: {why}" for one in meant if (why := _unable(one, include))]
    changed = [replace(one, view=replace(one.view, include=include)) if one in meant else one for one in outputs]
    return changed, wrong


def _unable(output: Output, include: frozenset[Shown]) -> str:
    """Why an output cannot be limited so; empty if it can."""
    choices = output.profile.choices
    if not choices:
        return f"{output.name} always shows the whole; name the output that is meant: --include FORMAT=VERDICT,..."
    beyond = sorted(one.value for one in include - choices)
    able = ", ".join(one.value for one in Shown if one in choices)
    return f"{output.name} shows {able}, never {', '.join(beyond)}" if beyond else ""


def _meant(word: str, known: Sequence[str]) -> str:
    close = get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"


def check(outputs: Sequence[Output], *, inputs: Mapping[str, Path], quiet: bool) -> None:
    """Find out before the scan whether every output can be written; raises OutputError naming each that cannot.

    `inputs` are folders that are read, by what they are called.
    """
    problems = [f"{one.file}: {why}" for one in outputs if one.file and (why := _obstacle(one, one.file, inputs))]
    if sys.stdout is None and (not quiet or any(one.file is None for one in outputs)):
        problems.append("stdout: is closed; write to files with -o FORMAT=FILE and -q")
    if problems:
        raise OutputError("\n".join(problems), hint="nothing was scanned; mend the output and run again")


def _obstacle(output: Output, file: Path, inputs: Mapping[str, Path]) -> str:
    """Why an output cannot be written; empty if it can."""
    folder = file if output.profile.folder else file.parent
    unfit = _no_folder(file) if output.profile.folder else _no_file(file)
    return next((why for why in (*unfit, *_unfit(folder, inputs))), "")


def _no_file(file: Path) -> Iterator[str]:
    if file.is_symlink():
        yield "is a symbolic link; outputs are never written through one"
    elif file.is_dir():
        yield "is a folder; name a file in it"
    elif file.exists() and not file.is_file():
        yield "is no ordinary file; without =FILE a report goes to stdout"


def _no_folder(folder: Path) -> Iterator[str]:
    if folder.is_symlink():
        yield "is a symbolic link; outputs are never written through one"
    elif folder.exists() and not folder.is_dir():
        yield "is no folder; this output writes several files into one"


def _unfit(folder: Path, inputs: Mapping[str, Path]) -> Iterator[str]:
    if not folder.is_dir():
        yield f"the folder {folder} does not exist; create it first"
        return
    for name, read in inputs.items():
        if folder.resolve().is_relative_to(read.resolve()):
            yield f"lies in the {name}, which is never changed"
    try:
        with NamedTemporaryFile(dir=folder, prefix=".arguard-"):
            pass
    except OSError as error:
        yield f"the folder {folder} cannot be written to ({error.strerror})"
