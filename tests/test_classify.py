from __future__ import annotations

import pytest
from hypothesis import given

from scanner import packs
from scanner.classify import classify
from scanner.model import Failure, Json
from scanner.policy import Code
from tests.conftest import json_values

CODES = (
    Code(name="ErrorA", title="A broke", link="https://e#a", messages=("The disk is full.",), causes=("P1",)),
    Code(name="ErrorAV2", title="A broke again", link="https://e#a"),
    Code(name="Wrapped", title="Something broke", link="https://e#w"),
    Code(name="SnapshotPhase", title="The snapshot failed", link="https://e#s", phase="Take Snapshot"),
)


def told(texts: Json = None, numbers: Json = None, phases: Json = None, **numeric: str) -> tuple[str, str]:
    found = classify(
        {"texts": texts, "numbers": numbers, "phases": phases}, CODES, {key[1:]: one for key, one in numeric.items()}
    )
    return found.code, found.told_by


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ("La sauvegarde a échoué : ErrorA", ("ErrorA", "name")),
        ([{"errorString": "x"}, {"bag": {"Error Code": "errora"}}], ("ErrorA", "name")),
        ({"ErrorA": 1}, ("ErrorA", "name")),
        ("ErrorAV2: sorry", ("ErrorAV2", "name")),
        ("Wrapped: ErrorAV2", ("ErrorAV2", "name")),
        ("ErrorAx ErrorA_1 xErrorA", ("", "nothing")),
        ("the  disk is FULL", ("ErrorA", "message")),
        ("The disk is full. Make it larger.", ("ErrorA", "message")),
        ("It seems that the disk is full", ("", "nothing")),
        ("SnapshotPhase", ("", "nothing")),
        (None, ("", "nothing")),
    ],
)
def test_texts_tell_a_code_by_its_name_or_by_its_message(texts: Json, expected: tuple[str, str]) -> None:
    assert told(texts) == expected


def test_the_name_counts_before_the_number_before_the_message_before_the_phase() -> None:
    assert told("ErrorAV2: the disk is full", [42], ["take snapshot"], n42="wrapped") == ("ErrorAV2", "name")
    assert told("The disk is full", [42], ["take snapshot"], n42="wrapped") == ("Wrapped", "number")
    assert told("The disk is full", phases=["Take Snapshot"]) == ("ErrorA", "message")
    assert told("?", phases=["Take Snapshot"]) == ("SnapshotPhase", "phase")
    assert told("?", phases=["Transfer"]) == ("", "nothing")


@pytest.mark.parametrize(
    ("numbers", "kept"), [([400, "401", 400], (400, 401)), (7, (7,)), ([True, None, "x", 1.5, {}], ()), (None, ())]
)
def test_numbers_are_kept_once_each_and_only_whole_ones(numbers: Json, kept: tuple[int, ...]) -> None:
    assert classify({"numbers": numbers}, CODES, {}) == Failure(numbers=kept)


def test_a_message_of_nothing_but_a_stop_is_no_message() -> None:
    code = Code(name="Vague", title="t", link="https://e#v", messages=("...",))
    assert classify({"texts": ["anything"]}, [code], {}) == Failure()


def test_a_number_that_names_no_code_tells_nothing() -> None:
    assert told(numbers=[42], n42="Unheard") == ("", "nothing")


@given(json_values, json_values, json_values)
def test_whatever_a_job_says_it_gets_a_known_code_or_none(texts: Json, numbers: Json, phases: Json) -> None:
    found = classify({"texts": texts, "numbers": numbers, "phases": phases}, CODES, {"1": "ErrorA"})
    assert (found.code == "") is (found.told_by == "nothing")
    assert found.code in {"", *(code.name for code in CODES)}


def test_each_code_of_the_backup_pack_is_told_by_its_name_and_its_messages_or_by_its_phase() -> None:
    [pack] = packs.load(packs.bundled())
    assert len(pack.codes) == 26
    for code in pack.codes:
        if code.phase:
            assert classify({"phases": [code.phase.upper()], "texts": [code.name]}, pack.codes, {}).code == code.name
        for text in () if code.phase else (f"... {code.name}.", *code.messages):
            assert classify({"texts": [text]}, pack.codes, {}).link == code.link
