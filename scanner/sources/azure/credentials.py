"""Who asks Azure: the credentials of azure-identity, chosen by name, checked before anything is asked.

    cli        whoever `az login` signed in; the cloud is the one that `az cloud set` chose
    workload   a federated identity: of a Kubernetes pod, or of a GitHub job that may request OIDC tokens
    managed    the managed identity of the machine; AZURE_CLIENT_ID picks a user-assigned one
    pipelines  the service connection of an Azure Pipelines task
    env        a service principal with a secret or a certificate
    default    the first of env, workload, managed and cli that is there; outside CI also the Azure Developer CLI

Federated assertions live for minutes and scans for longer, so each sign-in fetches a fresh one. Only `kind`, tenant and
object id ever leave a credential; no token is kept here, printed or logged.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Protocol

import orjson
import requests
from azure.core.credentials import AccessTokenInfo, TokenRequestOptions
from azure.identity import (
    AzureCliCredential,
    AzureDeveloperCliCredential,
    AzurePipelinesCredential,
    ChainedTokenCredential,
    ClientAssertionCredential,
    EnvironmentCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)

from scanner.errors import UsageError
from scanner.model import Identity
from scanner.sources.azure.clouds import Cloud

AUTHS = ("cli", "workload", "managed", "pipelines", "env", "default")
AUDIENCE = "api://AzureADTokenExchange"
"""What a federated assertion must be made out to
(https://learn.microsoft.com/entra/workload-id/workload-identity-federation-create-trust)."""

CLI_SECONDS = 30
"""How long a CLI may take to hand over a token; azure-identity waits 10 s, which a busy CI machine exceeds."""

_GITHUB = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
_PRINCIPAL = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID")
_NEVER = 253402300799
"""The last second of the year 9999: a static token does not expire."""
_CLAIM = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Credential(Protocol):
    """What the SDK's pipeline needs of a credential."""

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """A token for the scopes; may raise anything."""
        ...


Make = Callable[[], Credential]


class StaticToken:
    """A fixed text as a token, for an emulator on this machine. Raises UsageError for what no header can carry."""

    kind = "StaticToken"

    def __init__(self, token: str) -> None:
        if not token or not all("!" <= letter <= "~" for letter in token):
            raise UsageError("The static token is empty or holds blanks or other alphabets.", hint="use letters and digits")
        self._token = token

    def get_token_info(self, *_scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:  # noqa: ARG002
        """The text, for every scope and claim."""
        return AccessTokenInfo(self._token, _NEVER)


class Renewable:
    """A credential that can be made anew: azure-identity keeps tokens in memory, also one that Azure has just refused."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._made: Credential | None = make()

    @property
    def kind(self) -> str:
        """The class of azure-identity that signs in; of a chain, the member that did."""
        made = self._current()
        return type(getattr(made, "_successful_credential", None) or made).__name__

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """What the present credential says."""
        return self._current().get_token_info(*scopes, options=options)

    def forget(self) -> None:
        """Make a new credential for the next token. The caches of `az` and of identity endpoints stay: nothing empties them."""
        self._made = None

    def _current(self) -> Credential:
        made = self._made
        if made is None:
            made = self._made = self._make()
        return made


def credential(auth: str, cloud: Cloud, environment: Mapping[str, str]) -> Renewable:
    """The credential of that name (one of AUTHS). Raises UsageError that names every variable that is missing.

    `environment` is the one of the process: azure-identity itself reads the variables of `env`, `managed` and `pipelines`.
    """
    if auth not in AUTHS:
        raise UsageError(f"--auth {auth} does not exist.", hint=f"one of {', '.join(AUTHS)}")
    missing, hint = tuple(_MISSING[auth](environment)), _HINTS.get(auth, "")
    if missing:
        raise UsageError(f"--auth {auth} needs in the environment: {'; '.join(missing)}.", hint=hint)
    try:
        return Renewable(partial(_MAKE[auth], cloud, environment))
    except (ValueError, OSError) as error:
        raise UsageError(f"--auth {auth} cannot be used: {str(error).splitlines()[0]}", hint=hint) from error


def identity(kind: str, token: str) -> Identity:
    """Who a token is for, read off its claims without verifying them (Azure does); "" for what it does not say."""
    claims = _claims(token)
    return Identity(credential=kind, tenant=_text(claims.get("tid")), object_id=_text(claims.get("oid")))


def _claims(token: str) -> Mapping[str, Any]:
    payload = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}


def _text(claim: object) -> str:
    return claim if isinstance(claim, str) and _CLAIM.fullmatch(claim) else ""


def _nothing_missing(_environment: Mapping[str, str]) -> Iterator[str]:
    yield from ()


def _missing_for_env(environment: Mapping[str, str]) -> Iterator[str]:
    yield from (name for name in _PRINCIPAL if not environment.get(name))
    if not (environment.get("AZURE_CLIENT_SECRET") or environment.get("AZURE_CLIENT_CERTIFICATE_PATH")):
        yield "AZURE_CLIENT_SECRET or AZURE_CLIENT_CERTIFICATE_PATH"


def _missing_for_workload(environment: Mapping[str, str]) -> Iterator[str]:
    yield from (name for name in _PRINCIPAL if not environment.get(name))
    if environment.get("AZURE_FEDERATED_TOKEN_FILE"):
        return
    missing = [name for name in _GITHUB if not environment.get(name)]
    if len(missing) == len(_GITHUB):
        yield f"AZURE_FEDERATED_TOKEN_FILE or, on GitHub, {' and '.join(_GITHUB)}"
        return
    yield from missing
    if not environment.get(_GITHUB[0], "https://").startswith("https://"):
        yield f"an https address in {_GITHUB[0]}"


def _missing_for_pipelines(environment: Mapping[str, str]) -> Iterator[str]:
    for name in ("TENANT_ID", "CLIENT_ID"):
        if not _of_pipeline(environment, name):
            yield f"AZURESUBSCRIPTION_{name} or AZURE_{name}"
    names = ("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", "SYSTEM_ACCESSTOKEN", "SYSTEM_OIDCREQUESTURI")
    yield from (name for name in names if not environment.get(name))


def _of_pipeline(environment: Mapping[str, str], name: str) -> str:
    return environment.get(f"AZURESUBSCRIPTION_{name}") or environment.get(f"AZURE_{name}", "")


def _cli(_cloud: Cloud, _environment: Mapping[str, str]) -> Credential:
    return AzureCliCredential(process_timeout=CLI_SECONDS)


def _env(cloud: Cloud, _environment: Mapping[str, str]) -> Credential:
    return EnvironmentCredential(authority=cloud.authority)


def _managed(_cloud: Cloud, environment: Mapping[str, str]) -> Credential:
    return ManagedIdentityCredential(client_id=environment.get("AZURE_CLIENT_ID") or None)


def _workload(cloud: Cloud, environment: Mapping[str, str]) -> Credential:
    tenant, client = (environment[name] for name in _PRINCIPAL)
    file = environment.get("AZURE_FEDERATED_TOKEN_FILE")
    if file:
        return WorkloadIdentityCredential(tenant_id=tenant, client_id=client, token_file_path=file, authority=cloud.authority)
    fetch = partial(_github_assertion, *(environment[name] for name in _GITHUB))
    return ClientAssertionCredential(tenant, client, fetch, authority=cloud.authority)


def _pipelines(cloud: Cloud, environment: Mapping[str, str]) -> Credential:
    return AzurePipelinesCredential(
        tenant_id=_of_pipeline(environment, "TENANT_ID"),
        client_id=_of_pipeline(environment, "CLIENT_ID"),
        service_connection_id=environment["AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"],
        system_access_token=environment["SYSTEM_ACCESSTOKEN"],
        authority=cloud.authority,
    )


def _default(cloud: Cloud, environment: Mapping[str, str]) -> Credential:
    """No browser and no broker: a scan must not wait for anyone. TF_BUILD is how Azure Pipelines says CI."""
    chain: list[Any] = [
        *([_env(cloud, environment)] if not any(_missing_for_env(environment)) else []),
        *([_workload(cloud, environment)] if not any(_missing_for_workload(environment)) else []),
        _managed(cloud, environment),
        _cli(cloud, environment),
    ]
    if not (environment.get("CI") or environment.get("TF_BUILD")):
        chain.append(AzureDeveloperCliCredential(process_timeout=CLI_SECONDS))
    return ChainedTokenCredential(*chain)


def _github_assertion(url: str, token: str) -> str:
    """A fresh OIDC token of the running job (https://docs.github.com/actions/reference/security/oidc)."""
    reply = requests.get(url, params={"audience": AUDIENCE}, auth=_Bearer(token), timeout=(10, 30), allow_redirects=False)
    if reply.status_code != 200:
        raise RuntimeError(f"GitHub answered {reply.status_code} to the request for an OIDC token")
    return str(reply.json()["value"])


class _Bearer(requests.auth.AuthBase):
    """Puts a token on a request; as an auth object, so that requests does not look for another in a ~/.netrc."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


_MISSING: Mapping[str, Callable[[Mapping[str, str]], Iterator[str]]] = MappingProxyType(
    {
        **dict.fromkeys(AUTHS, _nothing_missing),
        "env": _missing_for_env,
        "workload": _missing_for_workload,
        "pipelines": _missing_for_pipelines,
    }
)
_MAKE: Mapping[str, Callable[[Cloud, Mapping[str, str]], Credential]] = MappingProxyType(
    {"cli": _cli, "workload": _workload, "managed": _managed, "pipelines": _pipelines, "env": _env, "default": _default}
)
_HINTS: Mapping[str, str] = MappingProxyType(
    {
        "env": "a service principal signs in with a secret or a certificate; after `az login`, use --auth cli",
        "workload": "on GitHub, the job needs `permissions: id-token: write`; after azure/login, use --auth cli",
        "pipelines": "run inside an AzureCLI@2 or AzurePowerShell@5 task, with `SYSTEM_ACCESSTOKEN: $(System.AccessToken)`",
    }
)
