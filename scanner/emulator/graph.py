"""The emulator's Azure Resource Graph: its requests checked as the service checks them, its errors as the service writes them.

Sources: Azure/azure-rest-api-specs specification/resourcegraph/.../2024-04-01/resourcegraph.json (requests, versions); error
bodies as in Azure/aztfexport#485 (ParserFailure), Azure/azure-powershell#13762 (InvalidQueryLanguage),
MicrosoftDocs/azure-docs#45495 (UnsupportedJoinFlavor), microsoft/ARI#255 (AccessDenied), Azure/azure-cli-extensions#3325
(RateLimiting). What no source tells stands in a last detail of its own, `EmulatorNote`, which the service never sends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from scanner import kql
from scanner.emulator.answers import Answers
from scanner.emulator.ask import Ask, Refused, read
from scanner.emulator.estate import Estate
from scanner.emulator.exchange import Reply, Seen, error
from scanner.emulator.pages import MOST, BadTokenError, Place, page
from scanner.emulator.roles import Roles
from scanner.kql.text import tokens
from scanner.model import Json, Reason

PATH = "/providers/microsoft.resourcegraph/resources"
OPERATIONS = "/providers/microsoft.resourcegraph/operations"
VERSIONS = ("2019-04-01", "2021-03-01", "2022-10-01", "2024-04-01")

_INVALID = {
    "code": "InvalidQuery",
    "message": "Query is invalid. Please refer to the documentation for the Azure Resource Graph service and fix the error "
    "before retrying.",
}
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_OPERATIONS = [
    {
        "name": "Microsoft.ResourceGraph/resources/read",
        "display": {
            "provider": "Microsoft Resource Graph",
            "resource": "Resources",
            "operation": "Query resources",
            "description": "Submits a query on resources within specified subscriptions or management groups.",
        },
    }
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Azure Resource Graph over an estate, for an identity with some roles."""

    estate: Estate
    roles: Roles
    answers: Answers

    def route(self, seen: Seen, query: Mapping[str, str], *, support: str) -> Reply | None:
        """The answer to a request with some parameters, None where the path is none of Resource Graph's.

        `support` is what an error tells the service's support: "timestamp = ..., correlationId = ...".
        """
        path = seen.path.partition("?")[0].rstrip("/").lower()
        allowed = {PATH: "POST", OPERATIONS: "GET"}.get(path)
        if allowed is None:
            return None
        if seen.method != allowed:
            return error(405, "MethodNotAllowed", f"The requested resource does not support http method '{seen.method}'.")
        if refused := version_refused(query):
            return refused
        if allowed == "GET":
            return Reply(body={"value": _OPERATIONS})
        return self._answer(seen.body, support)

    def _answer(self, body: bytes, support: str) -> Reply:
        try:
            ask = read(body)
            scope = self._scope(ask)
        except Refused as refused:
            return _bad(support, refused.details)
        if not scope:
            return error(403, "AccessDenied", _asking(support), [{"code": "AccessDenied", "message": "AccessDenied"}])
        try:
            result = self.answers.ask(ask.query, scope)
            place = _place(ask, result.id)
        except kql.KqlProblems as problems:
            return _bad(support, [_INVALID, *_complaints(ask.query, problems.problems)])
        except kql.QueryTrouble as trouble:
            return _trouble(support, trouble)
        except BadTokenError:
            text = "The $skipToken is not valid for this query and scope."
            return _bad(support, [{"code": "InvalidSkipToken", "message": text}])
        return Reply(body=page(result, place, table=ask.table))

    def _scope(self, ask: Ask) -> frozenset[str]:
        """The subscriptions that are asked for and visible, in lower case; without a wish, everything visible."""
        known = {one.id.lower() for one in self.estate.subscriptions}
        wanted = known if ask.subscriptions is None else {one.lower() for one in ask.subscriptions}
        if ask.management_groups is not None:
            groups = {name.lower(): members for name, members in self.estate.management_groups.items()}
            wanted = {one.lower() for name in ask.management_groups for one in groups.get(name.lower(), ())}
        return frozenset(one for one in wanted & known if self.roles.visible(one))


def version_refused(query: Mapping[str, str]) -> Reply | None:
    """The refusal of a request whose api-version is absent or none of Resource Graph's."""
    version = {name.lower(): value for name, value in query.items()}.get("api-version", "")
    if not version:
        text = "The api-version query parameter (?api-version=) is required for all requests."
        return error(400, "MissingApiVersionParameter", text)
    if version not in VERSIONS:
        text = f"The api-version '{version}' is invalid. The supported versions are '{','.join(VERSIONS)}'."
        return error(400, "InvalidApiVersionParameter", text)
    return None


def rate_limited(support: str) -> Reply:
    """The answer to one query too many; the service sends no Retry-After with it."""
    text = "Too many queries of this user; see https://aka.ms/resourcegraph-throttling."
    return error(429, "RateLimiting", _asking(support), [{"code": "RateLimiting", "message": text}])


def _asking(support: str) -> str:
    return f"Please provide below info when asking for support: {support}."


def _bad(support: str, details: Sequence[Mapping[str, Json]]) -> Reply:
    return error(400, "BadRequest", _asking(support), details)


def _note(text: str) -> dict[str, Json]:
    return {"code": "EmulatorNote", "message": text}


def _place(ask: Ask, result: str) -> Place:
    """Where the page begins: with a token there, unless $top and $skip say otherwise."""
    start = Place.of(ask.token, result) if ask.token else Place(offset=0, top=MOST)
    return Place(
        offset=start.offset if ask.skip is None else ask.skip,
        top=start.top if ask.top is None else ask.top,
    )


def _complaints(query: str, problems: Sequence[kql.KqlProblem]) -> Iterator[dict[str, Json]]:
    """Each problem as the service tells it, and then in words."""
    for problem in problems:
        word = _word(query, problem)
        match problem.complaint:
            case "syntax":
                found: dict[str, Json] = {
                    "code": "ParserFailure",
                    "message": "ParserFailure",
                    "line": problem.line,
                    "characterPositionInLine": problem.column - 1,
                    "token": word or "<EOF>",
                }
                yield found | ({"expectedToken": _CLOSING[word]} if problem.text.endswith("is not closed") else {})
            case "operator":
                message = "InvalidQueryLanguage"
                yield {"code": message, "message": message, "line": -1, "characterPositionInLine": -1, "token": word}
            case "join":
                yield {"code": "UnsupportedJoinFlavor", "message": "UnsupportedJoinFlavor"}
            case "type":
                yield _note(f"The emulator does not run this, Azure does: {problem}.")
                continue
        yield _note(str(problem))


def _word(query: str, problem: kql.KqlProblem) -> str:
    """The word that a problem is about, with its hyphens where it is an operator; empty at the end of the text."""
    lines = query.split("\n")
    text = lines[problem.line - 1][problem.column - 1 :] if problem.line <= len(lines) else ""
    operator = re.match(r"[\w-]+", text)
    if problem.complaint == "operator" and operator:
        return operator[0]
    return next((token.text for token in tokens(text)), "")


def _trouble(support: str, trouble: kql.QueryTrouble) -> Reply:
    """What the emulator, not the service, cannot do."""
    note = _note(f"The emulator does not run this: {trouble.text}.")
    if trouble.reason in (Reason.UNSUPPORTED, Reason.NOT_COLLECTED):
        return _bad(support, [_INVALID, note])
    return error(500, "InternalServerError", _asking(support), [note])
