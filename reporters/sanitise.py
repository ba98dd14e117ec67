r"""The one place where text loses what terminals, XML readers and CI runners would misread or obey.

Cloud resources are named by other people. Control characters (C0, C1, DEL), bidirectional controls, line separators,
lone surrogates and what XML 1.0 forbids become visible `\uXXXX` text, so that two names that differ still differ. CI
runners read a job's output line by line and obey `::command` at the start of a line (after blanks) and `##vso[`, `##[`
and `##teamcity[` anywhere in it, so those are broken up; JSON and XML have escapes that break them without loss.
(github.com/actions/runner, `ActionCommand.cs`; github.com/microsoft/azure-pipelines-agent, `Command.cs`; CVE-2020-15228.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from scanner.model import Json

_SURROGATE = re.compile(r"[\ud800-\udfff]")
_UNSAFE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, DEL, C1
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional controls
    r"\u2028\u2029\ufeff"  # separators that editors and shells take for newlines, and the byte order mark
    r"\ud800-\udfff\ufffe\uffff]"  # outside XML 1.0 `Char`
)
_LOUD = re.compile(r"##(?=[A-Za-z]*\[)")
_COMMAND = re.compile(r"^((?:[^\S\n]|\x1b\[[0-9;]*m)*)::", re.MULTILINE)
_DEEPEST = 200
"""JSON nested deeper is cut: encoders stop at 254, and nobody reads it."""


def _visible(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def clean(text: str) -> str:
    """Text of any number of lines, safe in XML and JSON and on a terminal; newlines and tabs stay, CRLF becomes LF."""
    return _UNSAFE.sub(_visible, text.replace("\r\n", "\n"))


def well_formed(text: str) -> str:
    """Text that UTF-8 can hold, otherwise unchanged: only lone surrogates become visible."""
    return _SURROGATE.sub(_visible, text)


def one_line(text: str, limit: int) -> str:
    """Clean text with every run of white space folded to one blank, at most `limit` characters long."""
    folded = " ".join(clean(text).split())
    return folded if len(folded) <= limit else folded[: limit - 1] + "…"


def console_safe(text: str) -> str:
    """Lines in which no CI runner finds a command to obey; colour codes at the start of a line do not hide one."""
    return _COMMAND.sub(r"\1: :", _LOUD.sub("# #", text))


def xml_safe(document: str) -> str:
    """Serialised XML whose text holds no CI command; character references keep the meaning."""
    if "::" not in document and "##" not in document:
        return document
    return _COMMAND.sub(r"\1&#58;:", _LOUD.sub("#&#35;", document))


def json_safe(document: bytes) -> bytes:
    """Encoded JSON in which unsafe characters and CI commands are spelt as escapes; the meaning stays the same."""
    if document.isascii() and b"##" not in document and b"\x7f" not in document:
        return document
    return _LOUD.sub(r"#\\u0023", _UNSAFE.sub(_visible, document.decode())).encode()


def json_value(value: Json, text: Callable[[str], str], depth: int = 0) -> Json:
    """The same JSON value with `text` applied to every string and key, fit for an encoder.

    Whole numbers beyond 64 bits become text; what is nested too deep is replaced by a sentence that says so.
    """
    if isinstance(value, str):
        return text(value)
    if depth > _DEEPEST:
        return f"(nested deeper than {_DEEPEST} levels)"
    if isinstance(value, Mapping):
        return {text(key): json_value(item, text, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item, text, depth + 1) for item in value]
    return str(value) if isinstance(value, int) and not -(2**63) <= value < 2**64 else value


def json_sorted(value: Json) -> Json:
    """The same JSON value with every mapping in the order of its keys: only its author's order would be left to chance."""
    if isinstance(value, Mapping):
        return {key: json_sorted(value[key]) for key in sorted(value)}
    return [json_sorted(item) for item in value] if isinstance(value, list | tuple) else value
