from __future__ import annotations

from copy import deepcopy

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.model import Json
from scanner.redact import KINDS, MARK, MAX_DEPTH, is_redacted, redact, redacted_paths

SECRET = "Hunter2-planted-Zq9"  # noqa: S105 - a planted one
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"


def mark(kind: str) -> dict[str, str]:
    return {MARK: kind}


SECRET_NAMES = [
    ("adminPassword", "password"),
    ("admin_password", "password"),
    ("ADMINPASSWORD", "password"),
    ("adminpassword", "password"),
    ("password1", "password"),
    ("passwordHash", "password"),
    ("dbPasswd", "password"),
    ("passphrase", "password"),
    ("pwd", "password"),
    ("sqlPwd", "password"),
    ("DB_PASS", "password"),
    ("passcode", "password"),
    ("rootPw", "password"),
    ("vpnPsk", "password"),
    ("credentials", "password"),
    ("clientSecret", "secret"),
    ("secret", "secret"),
    ("secureValue", "secret"),
    ("accessToken", "token"),
    ("sasToken", "token"),
    ("tokens", "token"),
    ("sas", "sas"),
    ("accessSAS", "sas"),
    ("connectionString", "connection string"),
    ("connection-strings", "connection string"),
    ("protectedSettings", "settings"),
    ("commandToExecute", "script"),
    ("customData", "data"),
    ("userData", "data"),
]
KEY_NAMES = [
    "key",
    "key1",
    "primaryKey",
    "storageAccountKey",
    "accountKeys",
    "api_key",
    "APIKey",
    "storageaccountkey",
    "x-functions-key",
    "authkey",
    "licensekey",
]


@pytest.mark.parametrize(("name", "kind"), SECRET_NAMES)
def test_a_secret_name_redacts_texts_objects_and_lists_whole(name: str, kind: str) -> None:
    for value in (SECRET, {"a": SECRET}, [SECRET]):
        assert redact({"properties": {name: value, "after": 1}}) == {"properties": {name: mark(kind), "after": 1}}


@pytest.mark.parametrize("name", KEY_NAMES)
def test_a_key_name_redacts_texts_also_in_lists(name: str) -> None:
    assert redact({name: SECRET}) == {name: mark("key")}
    assert redact({name: [SECRET, 3, [SECRET]]}) == {name: [mark("key"), 3, [mark("key")]]}


@pytest.mark.parametrize("name", [name for name, _ in SECRET_NAMES] + KEY_NAMES + ["secrets", "settings"])
@pytest.mark.parametrize("value", [None, False, True, 0, 7, 1.5, "", [], {}])
def test_what_cannot_hold_a_secret_stays(name: str, value: Json) -> None:
    assert redact({"typeHandlerVersion": "1.0", name: value}) == {"typeHandlerVersion": "1.0", name: value}


def test_what_policies_read_stays() -> None:
    vault = {"id": "/subscriptions/s1/resourceGroups/sec/providers/Microsoft.KeyVault/vaults/kv1"}
    facts = {
        "id": "/subscriptions/s1/resourceGroups/RG/providers/Microsoft.Compute/disks/d1",
        "encryptionSettings": [
            {
                "diskEncryptionKey": {"sourceVault": vault, "secretUrl": "https://kv1.vault.azure.net/secrets/x/1"},
                "keyEncryptionKey": {"sourceVault": vault, "keyUrl": "https://kv1.vault.azure.net/keys/x/1"},
            }
        ],
        "activeKey": {"keyUrl": "https://kv1.vault.azure.net/keys/x/1"},
        "encryptionKey": "https://kv1.vault.azure.net/keys/x/1",
        "keyVaultProperties": {"keyName": "k1", "keyVersion": "7", "keyVaultUri": "https://kv1.vault.azure.net"},
        "secretName": "s",
        "tokenType": "JWT",
        "accessPolicies": [{"permissions": {"keys": ["Get", "list", "wrapKey"], "secrets": ["get", "backup"]}}],
        "osProfile": {"secrets": [{"sourceVault": vault, "vaultCertificates": [{"certificateStore": "My"}]}]},
        "ssh": {"publicKeys": [{"keyData": "ssh-rsa AAAA", "path": "/home/x"}], "publicKey": "ssh-rsa AAAA"},
        "partitionKey": "/id",
        "disablePasswordAuthentication": True,
        "passwordProfile": {"forceChange": False},
        "monkey": "george",
        "securitySettings": {"softDelete": "On"},
        "settings": {"not": "an extension"},
        "": "nameless",
    }
    assert redact(facts) == facts


def test_entries_of_secrets_keep_their_names_only() -> None:
    assert redact({"secrets": [{"name": "db", "id": "x", "value": SECRET, "more": {"a": 1}}]}) == {
        "secrets": [{"name": "db", "id": "x", "value": mark("secret"), "more": {"a": 1}}]
    }
    assert redact({"secrets": {"db": SECRET}}) == {"secrets": {"db": mark("secret")}}
    assert redact({"secrets": [mark("secret")]}) == {"secrets": [mark("secret")]}


def test_settings_of_an_extension_are_redacted_whole() -> None:
    row = {"type": "Microsoft.Compute/virtualMachines/Extensions", "properties": {"Settings": {"url": "x"}, "publisher": "p"}}
    assert redact(row)["properties"] == {"Settings": mark("settings"), "publisher": "p"}
    nested = {"extensions": [{"properties": {"typeHandlerVersion": "1.0", "settings": "x"}}]}
    assert redact(nested)["extensions"][0]["properties"]["settings"] == mark("settings")


def test_name_and_value_pairs() -> None:
    assert redact([{"name": "DB_PASSWORD", "value": SECRET}, {"name": "REGION", "value": "west"}]) == [
        {"name": "DB_PASSWORD", "value": mark("password")},
        {"name": "REGION", "value": "west"},
    ]
    assert redact({"key": "apiToken", "value": SECRET}) == {"key": "apiToken", "value": mark("token")}
    assert redact({"key": 5, "value": SECRET}) == {"key": 5, "value": SECRET}


SHAPES = [
    ("https://x.blob.core.windows.net/c?sv=2024&sig=abc%3D", "sas"),
    ("https://p/?u=https%3A%2F%2Fx%3Fsv%3D1%26sig%3Dabc", "sas"),
    ("DefaultEndpointsProtocol=https;AccountName=a;AccountKey=abc==;", "connection string"),
    ("Endpoint=sb://x/;SharedAccessKeyName=r;SharedAccessKey=abc", "connection string"),
    ("Server=x;User=sa;Password = hunter2", "connection string"),
    ("client_secret=abc", "connection string"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "pem"),
    (f"id_token {JWT}", "jwt"),
    ("Authorization: Bearer abcdefghijklmnop1234", "token"),
    ("https://user:pass@host/x", "password"),
    ("https://x.azurewebsites.net/api/f?code=abcdefgh12==", "token"),
    ("https://x/?a=1&subscription-key=abcdefgh12", "token"),
    ("https://x/?access_token%3dabcdefgh12", "token"),
    ("Basic aHVudGVyMjpodW50ZXIyOmg=", "password"),
]


@pytest.mark.parametrize(("text", "kind"), SHAPES)
def test_a_text_shaped_like_a_secret_is_redacted_under_any_name(text: str, kind: str) -> None:
    assert redact({"notes": [text]}) == {"notes": [mark(kind)]}
    assert redact(text) == mark(kind)


@pytest.mark.parametrize(
    "text",
    [
        "design=round",
        "https://host:8080/a@b",
        "eyJhbGciOi",
        "key = value",
        "{not json",
        "[1, 2]",
        "bearer of news",
        "a?code=404",
        "Basic load balancer",
    ],
)
def test_ordinary_texts_stay(text: str) -> None:
    assert redact({"notes": text}) == {"notes": text}


def test_json_inside_a_text_is_searched() -> None:
    inside = orjson.dumps({"adminPassword": SECRET, "size": 1}).decode()
    cleaned = redact({"notes": inside})["notes"]
    assert cleaned == '{"adminPassword":{"$redacted":"password"},"size":1}'
    assert is_redacted(cleaned)
    assert redact({"notes": cleaned}) == {"notes": cleaned}


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        (mark("key"), True),
        ('{"a":{"$redacted":"key"}}', True),
        ("$redacted", False),
        ({"a": 1}, False),
        (None, False),
        ([mark("key")], False),
    ],
)
def test_is_redacted(value: Json, answer: bool) -> None:  # noqa: FBT001 - a table column
    assert is_redacted(value) is answer


def test_a_forged_mark_hides_nothing() -> None:
    assert redact({"a": {MARK: SECRET, "b": SECRET}, "token": {MARK: SECRET}}) == {"a": mark("other"), "token": mark("other")}
    assert redact({MARK: {"x": SECRET}}) == mark("other")


def nested(depth: int, leaf: Json, name: str = "a") -> Json:
    for _ in range(depth):
        leaf = {name: leaf}
    return leaf


@pytest.mark.parametrize("name", ["a", "secrets", "key"])
def test_depth_is_bounded(name: str) -> None:
    cleaned = redact(nested(100_000, SECRET, name))
    text = orjson.dumps(cleaned)
    assert SECRET.encode() not in text
    assert b'{"$redacted":"depth"}' in text
    assert redact(cleaned) == cleaned


def test_lists_of_lists_under_a_key_are_bounded() -> None:
    value: Json = SECRET
    for _ in range(100_000):
        value = [value]
    assert b'{"$redacted":"depth"}' in orjson.dumps(redact({"key": value}))


def test_the_argument_is_left_alone_and_key_order_is_kept() -> None:
    value = {"b": 1, "password": SECRET, "a": {"z": [1], "token": SECRET}}
    before = deepcopy(value)
    cleaned = redact(value)
    assert value == before
    assert list(cleaned) == ["b", "password", "a"]


def test_kinds_are_known() -> None:
    assert {kind for _, kind in SECRET_NAMES} | {kind for _, kind in SHAPES} <= KINDS


names = st.one_of(
    st.text(max_size=8), st.sampled_from(["properties", "settings", "secrets", "keys", "key", "name", "value", MARK, "type"])
)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from([text for text, _ in SHAPES] + ['{"password":"x"}', '[{"key":"x"}]', "/subscriptions/s1", "get"]),
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4), max_leaves=25
)


@given(values)
def test_redacting_twice_changes_nothing_more(value: Json) -> None:
    once = redact(value)
    assert redact(once) == once


plants = st.one_of(
    st.sampled_from([name for name, _ in SECRET_NAMES] + KEY_NAMES).map(lambda name: {name: SECRET}),
    st.sampled_from([name for name, _ in SECRET_NAMES]).map(lambda name: {name: {"deep": [SECRET]}}),
    st.sampled_from(
        [f"x?sig={SECRET}", f"AccountKey={SECRET}", f"-----BEGIN KEY-----{SECRET}", f"{JWT}{SECRET}", f"://u:{SECRET}@h"]
    ),
    st.just({"type": "a/extensions", "properties": {"settings": {"x": SECRET}}}),
    st.just({"name": "apiKey", "value": SECRET}),
).flatmap(lambda plant: st.sampled_from([plant, orjson.dumps(plant).decode()]))
planted = st.recursive(
    plants,
    lambda inner: (
        st.tuples(st.lists(values, max_size=2), inner).map(lambda pair: [*pair[0], pair[1]])
        | st.tuples(st.dictionaries(names, values, max_size=3), names, inner).map(
            lambda parts: {**parts[0], parts[1]: parts[2]}
        )
    ),
    max_leaves=6,
)


@given(planted)
def test_no_planted_secret_survives(value: Json) -> None:
    assert SECRET in orjson.dumps(value).decode()
    assert SECRET.encode() not in orjson.dumps(redact(value))


def test_an_extension_among_secrets_is_still_known_as_one() -> None:
    assert SECRET not in str(redact({"secrets": {"type": "a/extensions", "properties": {"settings": {"x": SECRET}}}}))


def test_the_depth_limit_is_far_above_what_azure_returns() -> None:
    value = nested(MAX_DEPTH - 1, {"size": 1})
    assert redact(value) == value


def test_where_secrets_were_taken_out() -> None:
    row = {
        "id": "x",
        "properties": {"env": [{"name": "DB_PASS", "value": SECRET}, [{"pwd": SECRET}]], "a": "?code=" + SECRET},
    }
    paths = {("properties", "env", "value"), ("properties", "env", "pwd"), ("properties", "a")}
    assert set(redacted_paths(redact(row))) == paths
