"""HTML as data: elements that escape every text they are given, so that no caller can forget to."""

from __future__ import annotations

from html import escape
from typing import Final, TypeAlias

from reporters.sanitise import clean, xml_safe

_VOID: Final = frozenset({"br", "col", "input", "link", "meta"})
_BLOCKS: Final = frozenset({"dd", "div", "dt", "fieldset", "header", "li", "p", "section", "summary", "tr", "h1", "h2", "h3"})
"""Elements that end a line of the file, for people who read it."""


Attribute: TypeAlias = str | float | bool | None


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def el(name: str, /, *inside: str | None, **attributes: Attribute) -> Markup:
    """An element. Plain text inside is escaped, None is left out; `class_` and `aria_label` become `class` and `aria-label`.

    An attribute that is true stands without a value; one that is None or false is left out.
    """
    told = "".join(_attribute(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{told}>")
    if name == "rect":  # SVG inside HTML is closed as in XML
        return Markup(f"<rect{told}/>")
    end = "\n" if name in _BLOCKS else ""
    return Markup(f"<{name}{told}>{join(*inside)}</{name}>{end}")


def join(*inside: str | None) -> Markup:
    """Several pieces, one after the other."""
    return Markup("".join(one if isinstance(one, Markup) else text(one) for one in inside if one is not None))


def text(plain: str) -> Markup:
    """Text on one line of the file, escaped, without anything that a terminal or an editor would obey."""
    return Markup(escape(clean(plain).replace("\n", " ").replace("\t", " ")))


def encoded(markup: Markup) -> bytes:
    """The bytes of a piece of the page, in which no CI runner finds a command."""
    return xml_safe(markup).encode()


def link(label: str, address: str) -> Markup:
    """A link out of the page, for https alone; anything else stays text."""
    if not safe(address):
        return text(label)
    return el("a", label, href=address, rel="noopener noreferrer", target="_blank")


def safe(address: str) -> bool:
    """Whether an address may be followed: https, and nothing in it that could end or bend it."""
    plain = address.isascii() and address.isprintable() and not set(' "<>\\^`{|}') & set(address)
    return plain and address.startswith("https://")


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{text(str(value))}"'
