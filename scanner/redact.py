"""Secrets out of what Azure returns: by the name of a member and by the shape of a text.

A secret becomes `{"$redacted": "<kind>"}`; everything else, key order included, stays as it was. The rules lean to the
safe side: an assertion that reads a redacted value is unknown, never green, while a leaked secret cannot be taken back.

By name, compared without case, `-`, `_`, `.`, blanks, and trailing words such as `Value` or digits:

* names that end in password, secret, token, connection string and the like, `sas`, `pwd`, `pass`, `customData`,
  `commandToExecute`, `protectedSettings`: texts, objects and lists are redacted whole;
* names that end in the word `key`, and the plurals `keys` and `secrets`: texts are redacted, also inside a list, and so are
  the texts of an entry of `secrets`, but for its `name` and `id`; other objects are searched, because policies read
  `diskEncryptionKey.secretUrl`. Addresses (`https://`), ARM ids and the permission words of a key vault's access policies
  stay, as do public keys and keys that only arrange data (`partitionKey`);
* `settings` directly inside the `properties` of an extension is redacted whole;
* `value` beside a `name` or `key` whose text is a secret's name (environment variables, application settings).

Numbers, booleans, null, "" and empty containers under such names stay: they hold no secret and policies may need them.
By shape, wherever a text stands: SAS signatures, account keys and passwords in connection strings, PEM, JWT, bearer
tokens, basic credentials, credentials and keys inside an address. A text that is itself JSON is searched as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

import orjson

from scanner.model import Json

MARK = "$redacted"
KINDS = frozenset(
    {
        "password",
        "secret",
        "token",
        "sas",
        "connection string",
        "key",
        "settings",
        "script",
        "data",
        "pem",
        "jwt",
        "depth",
        "other",
    }
)
MAX_DEPTH = 63
"""Containers inside containers; what is nested deeper is replaced whole. ARG's own rows stay below 20."""

_WHOLE = (
    ("password", "password"),
    ("passwd", "password"),
    ("passphrase", "password"),
    ("credential", "password"),
    ("secret", "secret"),
    ("secure", "secret"),
    ("securestring", "secret"),
    ("token", "token"),
    ("connectionstring", "connection string"),
    ("protectedsetting", "settings"),
    ("commandtoexecute", "script"),
    ("customdata", "data"),
    ("userdata", "data"),
)
_WHOLE_WORDS = {**dict.fromkeys(("pwd", "pw", "pass", "passcode", "psk"), "password"), "sas": "sas"}
_LOWER_KEYS = re.compile(
    r"(?:access|account|admin|api|auth|client|function|host|license|master|primary|private|secondary|shared|signing|storage|subscription|workspace)key$"
)
_NO_SECRET_KEY = frozenset(
    {"public", "partition", "sort", "routing", "group", "row", "foreign", "sku", "cache", "natural", "display"}
)
_TRAILING = frozenset({"value", "text", "plain", "base64", "encoded", "hash", "old", "new", "current", "previous"})
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_ADDRESS = re.compile(r"(?i)(?:https?://|/subscriptions/|/providers/)")
_PERMISSIONS = frozenset(
    {"all", "get", "list", "set", "delete", "backup", "restore", "recover", "purge", "create", "import", "update", "encrypt"}
    | {"decrypt", "wrapkey", "unwrapkey", "sign", "verify", "release", "rotate", "getrotationpolicy", "setrotationpolicy"}
)
"""What key vault access policies allow on keys and secrets (azure-mgmt-keyvault 14.1.0, KeyPermissions, SecretPermissions)."""

_SHAPES = re.compile(
    r"(?P<pem>-----BEGIN [A-Z0-9 ]+-----)"
    r"|(?P<jwt>(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]++\.eyJ[A-Za-z0-9_-]++\.)"
    r"|(?P<token>(?i:(?<![a-z])bearer\s{1,4}[a-z0-9._~+/=-]{16}"
    r"|[?&](?:code|token|(?:(?:access|api|subscription)[-_]?)?(?:key|token))(?:=|%3d)[^&\s]{8}))"
    r"|(?P<credential>(?i:(?<![a-z])basic\s{1,4}[a-z0-9+/]{20}))"
    r"|(?P<sas>(?i:(?<![a-z])sig(?:=|%3d)))"
    r"|(?P<connection>(?i:(?:accountkey|accesskey|accesssignature|password|passwd|pwd|secret)\s{0,4}=\s{0,4}[^\s;=]))"
    r"|(?P<password>://[^/\s:@]++:[^/\s@]++@)"
)
_SHAPE_KINDS = {"connection": "connection string", "credential": "password"}


def is_redacted(value: Json) -> bool:
    """Whether a value is a redaction mark, or a text made from one (KQL's `tostring()` of a redacted object)."""
    if isinstance(value, str):
        return f'"{MARK}"' in value
    return isinstance(value, Mapping) and MARK in value


def redacted_paths(value: Json, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every member that a redacted value replaced a secret in; elements of a list have the path of the list."""
    if is_redacted(value):
        yield path
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from redacted_paths(member, (*path, name))
    elif isinstance(value, list):
        for item in value:
            yield from redacted_paths(item, path)


def redact(value: Json) -> Json:
    """Replace every secret in a decoded JSON value; the argument is left alone. Redacting twice changes nothing more."""
    return _redact(value, 0)


def _redact(value: Json, depth: int, *, extension: bool = False) -> Json:
    if isinstance(value, str):
        return _text(value, depth)
    if not isinstance(value, dict | list):
        return value
    if isinstance(value, dict) and MARK in value:
        return _mark(value[MARK])
    if depth >= MAX_DEPTH:
        return _mark("depth")
    if isinstance(value, list):
        return [_redact(item, depth + 1) for item in value]
    return _object(value, depth, extension=extension)


def _object(value: dict[str, Json], depth: int, *, extension: bool) -> Json:
    """Members one by one; `extension` says that these are the properties of an extension."""
    extension = extension or "typeHandlerVersion" in value
    is_extension = str(value.get("type", "")).lower().endswith("/extensions")
    pair = "value" in value and ("name" in value or "key" in value)
    result = {}
    for name, member in value.items():
        if extension and name.lower() == "settings":
            result[name] = _whole(member, "settings")
        elif pair and name in ("name", "key", "value"):
            result[name] = _member(_pair_name(value) if name == "value" else "", member, depth)
        elif is_extension and name == "properties":
            result[name] = _redact(member, depth + 1, extension=True)
        else:
            result[name] = _member(name, member, depth)
    return result


def _pair_name(value: dict[str, Json]) -> str:
    """The text that names the `value` beside it."""
    names = (value.get("name"), value.get("key"))
    return next((name for name in names if isinstance(name, str) and _kind(name)), "")


def _member(name: str, member: Json, depth: int) -> Json:
    found = _kind(name)
    if found is None:
        return _redact(member, depth + 1)
    kind, whole = found
    return _whole(member, kind) if whole else _texts(member, kind, depth)


def _whole(member: Json, kind: str) -> Json:
    """A text, object or list that holds anything is replaced; everything else cannot hold a secret."""
    if isinstance(member, dict) and MARK in member:
        return _mark(member[MARK])
    return _mark(kind) if isinstance(member, str | dict | list) and member else member


def _texts(member: Json, kind: str, depth: int) -> Json:
    """Texts directly here, in a list, or beside the name of an entry of `secrets`, are replaced; other objects are searched."""
    if isinstance(member, str):
        return _text(member, depth + 1) if _harmless(member) else _mark(kind)
    if depth >= MAX_DEPTH - 1:
        return _redact(member, depth + 1)
    if isinstance(member, list):
        return [_texts(item, kind, depth + 1) for item in member]
    if isinstance(member, dict) and kind == "secret" and MARK not in member:
        plain = {name: item for name, item in member.items() if isinstance(item, str) and name not in ("name", "id")}
        # The whole object, not what is left of it: a text such as `type` says what the objects beside it are.
        rest = _redact(member, depth + 1)
        return {name: _texts(plain[name], kind, depth + 1) if name in plain else rest[name] for name in member}
    return _redact(member, depth + 1)


def _harmless(text: str) -> bool:
    return not text or text.lower() in _PERMISSIONS or _ADDRESS.match(text) is not None


def _text(text: str, depth: int) -> Json:
    """A text that is JSON is searched as JSON; then the shape of the whole decides."""
    text = _embedded(text, depth) if text.lstrip()[:1] in ("{", "[") else text
    shape = _SHAPES.search(text) if _may_have_a_shape(text) else None
    if shape is None:
        return text
    kind = shape.lastgroup or "other"
    return _mark(_SHAPE_KINDS.get(kind, kind))


def _may_have_a_shape(text: str) -> bool:
    """Whether a text holds what every shape holds one of. Most texts hold none; each is looked at, so no generator is made."""
    if "=" in text or "@" in text or "%3" in text or "eyJ" in text or "-----BEGIN " in text:
        return True
    lower = text.lower()
    return "bearer" in lower or "basic" in lower


def _embedded(text: str, depth: int) -> str:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    cleaned = _redact(value, depth + 1)
    return text if cleaned == value else orjson.dumps(cleaned).decode()


def _mark(kind: Json) -> dict[str, Json]:
    return {MARK: kind if isinstance(kind, str) and kind in KINDS else "other"}


@lru_cache(maxsize=4096)
def _kind(name: str) -> tuple[str, bool] | None:
    """What a member's name says it holds: the kind of secret, and whether objects under it are replaced whole."""
    words = [word.lower() for word in _WORDS.findall(name)]
    while len(words) > 1 and (words[-1] in _TRAILING or words[-1].isdigit()):
        words.pop()
    if not words:
        return None
    flat = "".join(words)
    if words[-1] in _WHOLE_WORDS:
        return _WHOLE_WORDS[words[-1]], True
    single = flat.removesuffix("s")
    for ending, kind in _WHOLE:
        if single.endswith(ending):
            return kind, not flat.endswith("secrets")
    last = words[-1].removesuffix("s")
    if last == "key" and (len(words) == 1 or words[-2] not in _NO_SECRET_KEY):
        return "key", False
    return ("key", False) if _LOWER_KEYS.search(last) else None
