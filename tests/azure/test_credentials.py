"""Credentials: the right one by name, everything that is missing said at once, fresh assertions, and no token anywhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.core.credentials import AccessTokenInfo
from azure.identity import ChainedTokenCredential, CredentialUnavailableError
from hypothesis import given
from hypothesis import strategies as st

from scanner.errors import UsageError
from scanner.model import Identity
from scanner.sources.azure import credentials
from scanner.sources.azure.clouds import CLOUDS, Cloud
from scanner.sources.azure.credentials import AUTHS, Renewable, StaticToken, credential, identity
from tests.azure.tls_server import Received, Served, Wire, reply, serving, write_ca

TENANT, CLIENT = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"
PRINCIPAL = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT}
SECRET = {**PRINCIPAL, "AZURE_CLIENT_SECRET": "hunter2"}
GITHUB = {
    **PRINCIPAL,
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://localhost/oidc?api-version=2.0",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token",
}
PIPELINES = {
    "AZURESUBSCRIPTION_TENANT_ID": TENANT,
    "AZURESUBSCRIPTION_CLIENT_ID": CLIENT,
    "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "connection",
    "SYSTEM_ACCESSTOKEN": "system-token",
    "SYSTEM_OIDCREQUESTURI": "https://localhost/oidc",
}
SCOPE = CLOUDS["public"].scope


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", write_ca(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", *SECRET, *PIPELINES, "IDENTITY_ENDPOINT", "MSI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def refusal(auth: str, environment: Mapping[str, str]) -> UsageError:
    with pytest.raises(UsageError) as refused:
        credential(auth, CLOUDS["public"], environment)
    return refused.value


# --- what is missing


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    told = refusal("browser", {})
    assert "--auth browser" in str(told)
    assert all(name in told.hint for name in AUTHS)


@pytest.mark.parametrize(
    ("auth", "environment", "missing"),
    [
        ("env", {}, ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET or AZURE_CLIENT_CERTIFICATE_PATH"]),
        ("env", {**PRINCIPAL, "AZURE_CLIENT_SECRET": ""}, ["AZURE_CLIENT_SECRET or AZURE_CLIENT_CERTIFICATE_PATH"]),
        (
            "workload",
            {},
            [
                "AZURE_TENANT_ID",
                "AZURE_CLIENT_ID",
                "AZURE_FEDERATED_TOKEN_FILE or, on GitHub, ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN",
            ],
        ),
        ("workload", {"AZURE_FEDERATED_TOKEN_FILE": "f"}, ["AZURE_TENANT_ID", "AZURE_CLIENT_ID"]),
        ("workload", {**GITHUB, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": ""}, ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]),
        ("workload", {**PRINCIPAL, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"}, ["ACTIONS_ID_TOKEN_REQUEST_URL"]),
        (
            "workload",
            {**GITHUB, "ACTIONS_ID_TOKEN_REQUEST_URL": "http://x", "AZURE_CLIENT_ID": ""},
            ["AZURE_CLIENT_ID", "an https address in ACTIONS_ID_TOKEN_REQUEST_URL"],
        ),
        (
            "pipelines",
            {},
            [
                "AZURESUBSCRIPTION_TENANT_ID or AZURE_TENANT_ID",
                "AZURESUBSCRIPTION_CLIENT_ID or AZURE_CLIENT_ID",
                "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",
                "SYSTEM_ACCESSTOKEN",
                "SYSTEM_OIDCREQUESTURI",
            ],
        ),
        ("pipelines", {**PIPELINES, "SYSTEM_ACCESSTOKEN": ""}, ["SYSTEM_ACCESSTOKEN"]),
    ],
)
def test_everything_that_is_missing_is_said_at_once(auth: str, environment: dict[str, str], missing: list[str]) -> None:
    told = refusal(auth, environment)
    assert str(told) == f"--auth {auth} needs in the environment: {'; '.join(missing)}."
    assert told.hint
    assert "hunter2" not in str(told)


def test_a_value_that_cannot_be_used_is_bad_input() -> None:
    told = refusal("pipelines", {**PIPELINES, "AZURESUBSCRIPTION_TENANT_ID": "a tenant!"})
    assert str(told).startswith("--auth pipelines cannot be used: Invalid tenant")


def test_a_certificate_that_is_not_there_is_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {**PRINCIPAL, "AZURE_CLIENT_CERTIFICATE_PATH": str(tmp_path / "missing.pem")}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert "missing.pem" in str(refusal("env", variables))


# --- which credential it is


class Fake:
    """Stands in for a class of azure-identity and keeps what it was made with."""

    made: list[tuple[str, dict[str, Any]]]

    def __init__(self, name: str, made: list[tuple[str, dict[str, Any]]]) -> None:
        self._name, self._made = name, made

    def __call__(self, *members: Any, **options: Any) -> Any:
        self._made.append((self._name, options))
        return (self._name, *members)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    kept: list[tuple[str, dict[str, Any]]] = []
    for name in (
        "AzureCliCredential",
        "AzureDeveloperCliCredential",
        "AzurePipelinesCredential",
        "ChainedTokenCredential",
        "ClientAssertionCredential",
        "EnvironmentCredential",
        "ManagedIdentityCredential",
        "WorkloadIdentityCredential",
    ):
        monkeypatch.setattr(credentials, name, Fake(name, kept))
    return kept


Made = list[tuple[str, dict[str, Any]]]


@pytest.mark.parametrize("cloud", CLOUDS.values(), ids=lambda cloud: cloud.name)
@pytest.mark.parametrize(
    "case",
    [
        ("cli", {}, "AzureCliCredential", {"process_timeout": 30}),
        ("env", SECRET, "EnvironmentCredential", {"authority": ...}),
        (
            "env",
            {**PRINCIPAL, "AZURE_CLIENT_CERTIFICATE_PATH": "c.pem"},
            "EnvironmentCredential",
            {"authority": ...},
        ),
        ("managed", {}, "ManagedIdentityCredential", {"client_id": None}),
        ("managed", {"AZURE_CLIENT_ID": CLIENT}, "ManagedIdentityCredential", {"client_id": CLIENT}),
        (
            "workload",
            {**GITHUB, "AZURE_FEDERATED_TOKEN_FILE": "token"},
            "WorkloadIdentityCredential",
            {"tenant_id": TENANT, "client_id": CLIENT, "token_file_path": "token", "authority": ...},
        ),
        ("workload", GITHUB, "ClientAssertionCredential", {"authority": ...}),
        (
            "pipelines",
            {**PIPELINES, "AZURE_CLIENT_ID": "another"},
            "AzurePipelinesCredential",
            {
                "tenant_id": TENANT,
                "client_id": CLIENT,
                "service_connection_id": "connection",
                "system_access_token": "system-token",
                "authority": ...,
            },
        ),
    ],
)
def test_each_name_makes_its_credential_for_the_cloud(
    cloud: Cloud, case: tuple[str, dict[str, str], str, dict[str, Any]], made: Made
) -> None:
    auth, environment, name, options = case
    credential(auth, cloud, environment)
    expected = {key: cloud.authority if value is ... else value for key, value in options.items()}
    assert made == [(name, expected)]


def test_pipelines_fall_back_to_the_general_variables(made: Made) -> None:
    environment = {name: value for name, value in PIPELINES.items() if not name.endswith(("TENANT_ID", "CLIENT_ID"))}
    credential("pipelines", CLOUDS["public"], {**environment, **PRINCIPAL})
    assert (made[0][1]["tenant_id"], made[0][1]["client_id"]) == (TENANT, CLIENT)


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ({}, ["ManagedIdentity", "AzureCli", "AzureDeveloperCli"]),
        ({"CI": "true"}, ["ManagedIdentity", "AzureCli"]),
        ({"TF_BUILD": "True"}, ["ManagedIdentity", "AzureCli"]),
        ({"CI": "true", **SECRET}, ["Environment", "ManagedIdentity", "AzureCli"]),
        ({"CI": "true", **GITHUB}, ["ClientAssertion", "ManagedIdentity", "AzureCli"]),
        (
            {"CI": "true", **SECRET, "AZURE_FEDERATED_TOKEN_FILE": "f"},
            ["Environment", "WorkloadIdentity", "ManagedIdentity", "AzureCli"],
        ),
    ],
)
def test_the_default_is_a_chain_without_a_browser(environment: dict[str, str], names: list[str], made: Made) -> None:
    credential("default", CLOUDS["public"], environment)
    assert [name for name, _ in made] == [*(f"{name}Credential" for name in names), "ChainedTokenCredential"]


@pytest.mark.parametrize(
    ("auth", "environment", "kind"),
    [
        ("cli", {}, "AzureCliCredential"),
        ("managed", {}, "ManagedIdentityCredential"),
        ("workload", GITHUB, "ClientAssertionCredential"),
        ("pipelines", PIPELINES, "AzurePipelinesCredential"),
        ("default", {}, "ChainedTokenCredential"),
    ],
)
def test_the_installed_library_takes_what_it_is_given(auth: str, environment: dict[str, str], kind: str) -> None:
    assert credential(auth, CLOUDS["usgov"], environment).kind == kind


def test_a_service_principal_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRET.items():
        monkeypatch.setenv(name, value)
    assert credential("env", CLOUDS["public"], SECRET).kind == "EnvironmentCredential"


# --- federated assertions that outlive the first


def entra(one: Received) -> Wire:
    """GitHub's or Azure Pipelines' token service and Entra ID in one."""
    if one.path.startswith("/oidc"):
        said = {"value": f"assertion-{one.number}", "oidcToken": f"assertion-{one.number}"}
    else:
        said = {"access_token": f"access-{one.number}", "expires_in": 3600, "token_type": "Bearer"}  # type: ignore[dict-item]  # JSON
    return reply(body=json.dumps(said).encode())


def at(served: Served) -> Cloud:
    return Cloud(name="test", authority=served.endpoint, endpoint=served.endpoint, scope=SCOPE)


def assertions(served: Served) -> list[str]:
    return [parse_qs(one.body.decode())["client_assertion"][0] for one in served.received if "oauth2" in one.path]


def test_on_github_every_sign_in_fetches_a_fresh_assertion() -> None:
    with serving(entra) as served:
        environment = {**GITHUB, "ACTIONS_ID_TOKEN_REQUEST_URL": f"{served.endpoint}/oidc?api-version=2.0"}
        signed_in = credential("workload", at(served), environment)
        first = [signed_in.get_token_info(SCOPE).token for _ in range(2)]
        signed_in.forget()
        second = signed_in.get_token_info(SCOPE).token
    assert (first, second) == (["access-2", "access-2"], "access-4")
    assert assertions(served) == ["assertion-1", "assertion-3"]
    asked = served.received[0]
    assert (asked.method, asked.headers["authorization"]) == ("GET", "Bearer request-token")
    assert parse_qs(urlsplit(asked.path).query) == {"api-version": ["2.0"], "audience": ["api://AzureADTokenExchange"]}


@pytest.mark.parametrize("status", [307, 403, 500])
def test_github_that_says_no_is_an_error_without_its_words(status: int) -> None:
    with serving(lambda _: reply(status, b"secret words", headers={"Location": "https://evil.example/"})) as served:
        environment = {**GITHUB, "ACTIONS_ID_TOKEN_REQUEST_URL": f"{served.endpoint}/oidc"}
        with pytest.raises(RuntimeError, match=f"GitHub answered {status}") as told:
            credential("workload", at(served), environment).get_token_info(SCOPE)
    assert "secret" not in str(told.value)
    assert "request-token" not in str(told.value)
    assert len(served.received) == 1


def test_a_netrc_does_not_replace_the_request_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password other\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with serving(entra) as served:
        environment = {**GITHUB, "ACTIONS_ID_TOKEN_REQUEST_URL": f"{served.endpoint}/oidc"}
        credential("workload", at(served), environment).get_token_info(SCOPE)
    assert served.received[0].headers["authorization"] == "Bearer request-token"


def test_a_service_connection_fetches_a_fresh_assertion_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(entra) as served:
        environment = {**PIPELINES, "SYSTEM_OIDCREQUESTURI": f"{served.endpoint}/oidc"}
        monkeypatch.setenv("SYSTEM_OIDCREQUESTURI", environment["SYSTEM_OIDCREQUESTURI"])
        signed_in = credential("pipelines", at(served), environment)
        signed_in.get_token_info(SCOPE)
        signed_in.forget()
        signed_in.get_token_info(SCOPE)
    assert assertions(served) == ["assertion-1", "assertion-3"]
    assert "serviceConnectionId=connection" in served.received[0].path


def test_a_token_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("from-the-file", encoding="utf-8")
    with serving(entra) as served:
        environment = {**PRINCIPAL, "AZURE_FEDERATED_TOKEN_FILE": str(file)}
        credential("workload", at(served), environment).get_token_info(SCOPE)
    assert assertions(served) == ["from-the-file"]


# --- made anew


class Unavailable:
    def get_token_info(self, *_scopes: str, **_options: Any) -> AccessTokenInfo:
        raise CredentialUnavailableError("not here")


def test_of_a_chain_the_member_that_signed_in_is_named() -> None:
    chain: list[Any] = [Unavailable(), StaticToken("t")]
    signed_in = Renewable(lambda: ChainedTokenCredential(*chain))
    assert signed_in.kind == "ChainedTokenCredential"
    signed_in.get_token_info(SCOPE)
    assert signed_in.kind == "StaticToken"


def test_options_such_as_claims_reach_the_credential() -> None:
    class Keeps:
        options: Any = None

        def get_token_info(self, *_scopes: str, options: Any = None) -> AccessTokenInfo:
            self.options = options
            return AccessTokenInfo("t", 1)

    keeps = Keeps()
    Renewable(lambda: keeps).get_token_info(SCOPE, options={"claims": "c"})
    assert keeps.options == {"claims": "c"}


def test_making_anew_fails_where_the_token_is_asked_for() -> None:
    attempts: list[int] = []

    def once() -> StaticToken:
        attempts.append(1)
        if len(attempts) > 1:
            raise ValueError("the certificate is gone")
        return StaticToken("t")

    signed_in = Renewable(once)
    signed_in.forget()
    with pytest.raises(ValueError, match="gone"):
        signed_in.get_token_info(SCOPE)


# --- what is told


def test_no_repr_holds_a_token() -> None:
    signed_in = credential("pipelines", CLOUDS["public"], PIPELINES)
    shown = repr([StaticToken("static-token"), signed_in, vars(signed_in).keys()])
    assert "static-token" not in shown
    assert "system-token" not in shown


@pytest.mark.parametrize("token", ["", "a b", "a\nb", "ä"])
def test_a_static_token_must_fit_into_a_header(token: str) -> None:
    with pytest.raises(UsageError):
        StaticToken(token)


def jwt(payload: object) -> str:
    return f"head.{base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip('=')}.tail"


def test_who_a_token_is_for_stands_in_its_claims() -> None:
    assert identity("K", jwt({"tid": TENANT, "oid": CLIENT})) == Identity(credential="K", tenant=TENANT, object_id=CLIENT)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "static",
        "a.b",
        "a.b.c.d",
        "a.!!.c",
        "a._w.c",
        jwt([1]),
        jwt(None),
        jwt({"tid": 1, "oid": ["x"]}),
        jwt({"tid": "<b>"}),
    ],
)
def test_what_a_token_does_not_say_is_empty(token: str) -> None:
    assert identity("K", token) == Identity(credential="K")


@given(st.text() | st.tuples(st.text(), st.text(), st.text()).map(".".join))
def test_no_token_makes_reading_its_claims_fail(token: str) -> None:
    assert identity("K", token).credential == "K"
