"""An HTML report read back by a parser that shares nothing with what wrote it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from reporters import html
from reporters.view import UNASKED, View
from scanner.model import ScanResult

VOID = {"br", "col", "input", "meta"}
Element = tuple[str, dict[str, str]]


@dataclass(slots=True)
class Page(HTMLParser):
    """What stands in a page; a tag that is not closed, or closed twice, is an AssertionError."""

    source: bytes
    elements: list[Element] = field(default_factory=list)
    text: dict[str, list[str]] = field(default_factory=dict)
    open: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        HTMLParser.__init__(self)
        self.feed(self.source.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), attrs
        element = (tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        for place in [tag for tag, _ in self.open] + [attributes["id"] for _, attributes in self.open if "id" in attributes]:
            self.text.setdefault(place, []).append(data)

    def all(self, tag: str, **attributes: str) -> list[dict[str, str]]:
        """The attributes of every element with this tag and these attributes."""
        return [found for name, found in self.elements if name == tag and attributes.items() <= found.items()]

    def told(self, place: str) -> str:
        """The text inside a tag or an id, with single blanks between the pieces."""
        return " ".join(" ".join(self.text.get(place, [])).split()).replace(" ,", ",")

    @property
    def data(self) -> dict[str, Any]:
        """The JSON document."""
        found: dict[str, Any] = json.loads("".join(self.text["data"]))
        return found

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every row of the list, put together from its columns."""
        for block in self.data["blocks"]:
            for index in range(block["rows"]):
                row = {name: one if isinstance(one, int) else one[index] for name, one in block["columns"].items()}
                numbers = {name: row[name] for name in ("state", "severity", "affects")}
                texts = {name: block["texts"][one] for name, one in row.items() if name not in numbers}
                evidence = [block["texts"][one] for one in block["sets"][row["evidence"]]]
                more = {"evidence": evidence, "failure": block["failures"][row["failure"]]}
                yield {**texts, **numbers, **more, "policy": self.data["policies"][block["policy"]]["id"]}


def page(result: ScanResult, view: View = UNASKED) -> Page:
    """A result's page, parsed."""
    return Page(source=b"".join(html.render(result, view)))
