"""Names out of what Azure returns: ids, names and free texts become stable stand-ins, such as vm-1 or guid-2.

What stays is what arguard must learn: keys, numbers, booleans, null, times, versions, resource types, and words of a
fixed vocabulary (states, codes) under keys that are known to hold them. Whatever is not known to be harmless is replaced.
"""

from __future__ import annotations

import re

from scanner.model import Json
from scanner.redact import redact

_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d[0-9:.]*(?:[Zz]|[+-]\d\d:?\d\d)?")
_NUMBER = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,9}){0,3}|\[[0-9, ]*\]")
_TYPE = re.compile(r"microsoft\.[a-z]{1,40}(?:/[a-z]{1,60}){0,4}", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_./ -]{0,63}")
_SEGMENT = re.compile(r"[A-Za-z]{0,60}")
_KEY = re.compile(r"[A-Za-z_@$][A-Za-z0-9_@$.-]{0,63}")
_WORDED = frozenset(
    {
        "backupmanagementtype",
        "backupengine",
        "classification",
        "code",
        "containertype",
        "currentprotectionstate",
        "displaystatus",
        "errorcode",
        "flag_text",
        "healthstatus",
        "isinclusionlist",
        "jobtype",
        "lastbackupstatus",
        "level",
        "location",
        "operation",
        "ostype",
        "policytype",
        "powerstate",
        "protectioncontainertype",
        "protectionstate",
        "protectionstatus",
        "provisioningstate",
        "publisher",
        "snapshotconsistencytype",
        "state",
        "status",
        "type",
        "workloadtype",
    }
)
"""Keys, lower case, under which Azure writes words of a fixed vocabulary."""
_DROPPED = frozenset({"tags", "identity", "userassignedidentities", "additionaldetails", "parameters", "settings"})
"""Keys whose members people name."""
_KINDS = {
    "subscriptions": "sub",
    "resourcegroups": "rg",
    "virtualmachines": "vm",
    "disks": "disk",
    "vaults": "vault",
    "locks": "lock",
    "restorepointcollections": "collection",
    "restorepoints": "point",
    "extensions": "extension",
}


class Pseudonyms:
    """One stand-in for each name, the same wherever the name stands; what is kept of a name is its kind.

    `words` are code names, such as those of failed jobs, that are told where they occur inside a text.
    """

    def __init__(self, words: frozenset[str] = frozenset()) -> None:
        self._words = words
        self._known: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def clean(self, value: Json, key: str = "") -> Json:
        """A value without names. `key` is the member it stands under."""
        return self._clean(redact(value), key.lower())

    def _clean(self, value: Json, key: str) -> Json:
        if isinstance(value, dict):
            return {self._key(name): self._member(item, name.lower()) for name, item in value.items()}
        if isinstance(value, list):
            return [self._clean(item, key) for item in value]
        return self._text(value, key) if isinstance(value, str) else value

    def _member(self, value: Json, key: str) -> Json:
        if key in _DROPPED and isinstance(value, dict | list):
            return {"$left_out": len(value)}
        return self._clean(value, key)

    def _key(self, name: str) -> str:
        """Keys are what is asked for; those that people could have written are not."""
        return name if _KEY.fullmatch(name) and not _GUID.search(name) else self._named(name, "key")

    def _text(self, text: str, key: str) -> str:
        if text == "" or _TIME.fullmatch(text) or _NUMBER.fullmatch(text) or text.lower() in {"true", "false", "null"}:
            return text
        if text.lower().startswith(("/subscriptions/", "/providers/")):
            return self._path(text)
        if _TYPE.fullmatch(text) or (key in _WORDED and _WORD.fullmatch(text)):
            return text
        if _GUID.fullmatch(text):
            return self._named(text, "guid")
        named = self._named(text, "name" if key.endswith("name") else "text")
        told = sorted(word for word in self._words if word.lower() in text.lower())
        return f"{named} ({', '.join(told)})" if told else named

    def _path(self, text: str) -> str:
        """An ARM id with its types kept and its names replaced: from the root and from each provider on they take turns."""
        parts = text.split("/")
        since = 0
        for place, part in enumerate(parts[1:], start=1):
            before = parts[place - 1].lower()
            if part.lower() == "providers" and (place - since) % 2 == (0 if since else 1):
                since = place
            elif since and place == since + 1:
                parts[place] = part if _TYPE.fullmatch(part) else self._named(part, "text")
            elif (place - since) % 2 == (1 if since else 0):
                parts[place] = self._named(part, _KINDS.get(before, "name"))
            elif not _SEGMENT.fullmatch(part):
                parts[place] = self._named(part, "text")
        return "/".join(parts)

    def _named(self, text: str, kind: str) -> str:
        known = text.lower()
        if known not in self._known:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._known[known] = f"{kind}-{self._counts[kind]}"
        return self._known[known]
