from __future__ import annotations

from pathlib import Path

import pytest

from tests.pack_folder import GOOD, PACK, K, P, load, make, problems_of

CODES = PACK.replace(
    "profiles:\n",
    "codes:\n"
    "  Error1: {title: It broke, link: 'https://e/#1', messages: [Broken], phase: Start, causes: [TNY101]}\nprofiles:\n",
)


def test_the_codes_of_a_pack(tmp_path: Path) -> None:
    [code] = load(make(tmp_path, {K: CODES})).codes
    assert (code.name, code.title, code.link) == ("Error1", "It broke", "https://e/#1")
    assert (code.messages, code.phase, code.causes) == (("Broken",), "Start", ("TNY101",))


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (
            {K: CODES.replace("[TNY101]", "[TNY102]")},
            "codes.Error1.causes[0]: the pack has no policy TNY102; did you mean 'TNY101'?",
        ),
        (
            {K: CODES, P: GOOD[P].replace("[Error1]", "[]")},
            "codes.Error1.causes[0]: TNY101 does not list Error1 under `explains`; add it there, or take it out here",
        ),
        (
            {K: CODES, P: GOOD[P].replace("[Error1]", "[Error1, Eror1]")},
            "explains[1]: pack.yaml has no code 'Eror1'; did you mean 'Error1'?",
        ),
        (
            {K: CODES.replace("[TNY101]", "[]")},
            "explains[0]: pack.yaml does not list TNY101 among the causes of Error1; its place",
        ),
    ],
)
def test_codes_and_policies_must_agree(tmp_path: Path, files: dict[str, str], problem: str) -> None:
    assert [one for one in problems_of(make(tmp_path, files)) if problem in one]


def test_a_policy_that_cannot_be_read_is_not_said_to_be_missing(tmp_path: Path) -> None:
    found = problems_of(
        make(tmp_path, {K: CODES, P: GOOD[P].replace("severity: medium", "severity: odd"), "coverage.yaml": COVERAGE})
    )
    assert len(found) == 1
    assert "severity" in found[0]


COVERAGE = "article: 'https://e/'\nsections: {a: {title: A, advice: [{says: x, policies: [TNY101]}]}}\n"
