"""The coverage map: every line of the article is answered, by policies of the pack or by a reason."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from scanner import packs
from scanner.policy import Pack
from tests.pack_folder import make, problems_of

OUTLINE = yaml.safe_load((Path(__file__).parent / "article" / "outline.yaml").read_text(encoding="utf-8"))
MAP = dedent("""\
    article: https://example.com/article
    sections:
      step-1:
        title: "Step 1"
        advice:
          - says: Keep the machines small
            policies: [TNY101]
          - says: Drink water
            not_a_check: no data tells
    """)


@pytest.fixture(scope="module")
def pack() -> Pack:
    return packs.load(packs.bundled(), cases=True)[0]


def test_the_map_of_the_backup_pack_has_no_hole(pack: Pack) -> None:
    mapped: dict[str, list[str]] = {}
    for one in pack.coverage:
        mapped.setdefault(one.anchor, []).append(one.says)
    assert mapped == OUTLINE


def test_every_code_of_the_article_has_its_section_in_the_map(pack: Pack) -> None:
    anchors = {code.link.partition("#")[2] for code in pack.codes if code.link.startswith(f"{pack.article}#")}
    assert len(anchors) == 12
    assert anchors <= set(OUTLINE)


def test_every_reference_into_the_article_is_an_anchor_of_it(pack: Pack) -> None:
    known = {*OUTLINE, "", "step-by-step-guide-to-troubleshoot-backup-failures", "causes-and-solutions"}
    links = {link for policy in pack.policies for link in policy.info.references if link.partition("#")[0] == pack.article}
    assert {link.partition("#")[2] for link in links} <= known


def test_a_map_is_read_with_its_answers(tmp_path: Path) -> None:
    folder = make(tmp_path, {"coverage.yaml": MAP})
    [tiny] = packs.load([folder], cases=True)
    assert tiny.article == "https://example.com/article"
    assert [(one.anchor, one.says, one.policies, one.not_a_check) for one in tiny.coverage] == [
        ("step-1", "Keep the machines small", ("TNY101",), ""),
        ("step-1", "Drink water", (), "no data tells"),
    ]


def test_a_map_decides_nothing_and_is_read_with_the_cases_alone(tmp_path: Path) -> None:
    without = packs.load([make(tmp_path / "a" / "tiny")])[0]
    found = packs.load([make(tmp_path / "b" / "tiny", {"coverage.yaml": MAP})])[0]
    assert found.digest == without.digest
    assert found.coverage == ()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[TNY101]", "[TNY102]", "coverage.yaml:7:20: sections.step-1.advice[0].policies[0]: the pack has no policy TNY102"),
        ("[TNY101]", "[TNY102]", "coverage.yaml:2:1: sections: the map does not name TNY101"),
        ("not_a_check: no data tells", "policies: []", "sections.step-1.advice[1].policies: must hold at least 1"),
        ("    not_a_check: no data tells\n", "", "sections.step-1.advice[1]: needs exactly one of"),
        ("policies: [TNY101]", "policies: [TNY101]\n        not_a_check: x", "advice[0]: needs exactly one of"),
    ],
)
def test_a_wrong_map_is_told_where_it_is_wrong(tmp_path: Path, old: str, new: str, problem: str) -> None:
    folder = make(tmp_path, {"coverage.yaml": MAP.replace(old, new)})
    assert [one for one in problems_of(folder) if problem in one]
