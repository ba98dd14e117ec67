"""What authors write: the coverage map of a pack, from each piece of advice of an article to the policies that judge it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from scanner.authoring.types import Authored, Given, Line, Link, PolicyId, wrong


class AdviceSpec(Authored):
    """One step, cause or solution of the article, and who judges it. Exactly one of `policies` and `not_a_check`."""

    says: Line
    """What the article says, in one line."""
    policies: Given[Annotated[tuple[PolicyId, ...], Field(min_length=1)]] = None
    """The policies that judge it."""
    not_a_check: Given[Line] = None
    """Why nothing can judge it."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.policies is None) is (self.not_a_check is None):
            raise wrong("needs exactly one of 'policies' and 'not_a_check'")
        return self


class SectionSpec(Authored):
    """One section of the article."""

    title: Line
    """Its heading, in English."""
    advice: Annotated[tuple[AdviceSpec, ...], Field(min_length=1)]
    """What it says, in its order."""


class CoverageFile(Authored):
    """coverage.yaml: everything that an article says, and which policies judge it."""

    article: Link
    """Where the article stands."""
    sections: dict[Line, SectionSpec]
    """The sections of the article by their anchor, in its order."""
