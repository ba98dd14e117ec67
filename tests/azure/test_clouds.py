"""Clouds: endpoint, scope and authority agree with what the installed SDK says, and loopback means this machine."""

from __future__ import annotations

import re

import pytest
from azure.core import AzureClouds
from azure.identity import AzureAuthorityHosts
from azure.mgmt.core.tools import get_arm_endpoints
from hypothesis import given
from hypothesis import strategies as st

from scanner.errors import UsageError
from scanner.sources.azure.clouds import CLOUDS, is_loopback, loopback, split_origin

SDK = {
    "public": (AzureClouds.AZURE_PUBLIC_CLOUD, AzureAuthorityHosts.AZURE_PUBLIC_CLOUD),
    "usgov": (AzureClouds.AZURE_US_GOVERNMENT, AzureAuthorityHosts.AZURE_GOVERNMENT),
    "china": (AzureClouds.AZURE_CHINA_CLOUD, AzureAuthorityHosts.AZURE_CHINA),
}


@pytest.mark.parametrize("name", SDK)
def test_each_cloud_is_what_the_sdk_says(name: str) -> None:
    setting, authority = SDK[name]
    sdk, cloud = get_arm_endpoints(setting), CLOUDS[name]
    assert cloud.name == name
    assert f"{cloud.endpoint}/" == sdk["resource_manager"]
    assert [cloud.scope] == sdk["credential_scopes"]
    assert cloud.authority == authority


def test_these_are_all_clouds_there_are() -> None:
    assert set(CLOUDS) == set(SDK)
    assert len(AzureClouds) == len(SDK)


@pytest.mark.parametrize(
    ("given_text", "endpoint"),
    [
        ("https://localhost", "https://localhost"),
        ("https://LOCALHOST:8443/", "https://localhost:8443"),
        ("https://127.0.0.1:443", "https://127.0.0.1"),
        ("https://[::1]:9", "https://[::1]:9"),
    ],
)
def test_addresses_of_this_machine_are_loopback(given_text: str, endpoint: str) -> None:
    cloud = loopback(given_text)
    assert (cloud.name, cloud.endpoint, cloud.scope) == ("loopback", endpoint, f"{endpoint}/.default")


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://localhost:8443",
        "https://management.azure.com",
        "https://localhost.evil.example",
        "https://localhost@evil.example",
        "https://user@localhost",
        "https://evil.example\\@localhost",
        "https://127.0.0.2",
        "https://0.0.0.0",
        "https://localhost:port",
        "https://localhost:99999",
        "https://localhost/base",
        "https://localhost?query",
        "https://localhost#fragment",
        "https://local\thost",
        "https://localho\u017ft",
        "https://[::1",
        "localhost",
        "https://",
        "",
    ],
)
def test_anything_else_is_refused(endpoint: str) -> None:
    with pytest.raises(UsageError) as refused:
        loopback(endpoint)
    assert repr(endpoint) in str(refused.value)
    assert "https://localhost" in refused.value.hint


@given(st.text(max_size=30) | st.text("https:/localn1.[]@\\%#?0 ", max_size=30).map(lambda tail: "https://localhost" + tail))
def test_whatever_counts_as_loopback_names_this_machine_and_nothing_else(text: str) -> None:
    if is_loopback(split_origin(text)[0]):
        assert re.fullmatch(r"https://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?", split_origin(text)[0])
