from __future__ import annotations

import ast
import inspect

from scanner.cli import cures
from scanner.model import Gap, Reason
from scanner.sources.azure import arm, pages, transport


def gap(text: str, subscription: str = "") -> Gap:
    return Gap(reason=Reason.FAILED, text=text, subscription=subscription)


def test_each_trouble_is_told_once_however_many_gaps_it_makes() -> None:
    gaps = [gap("ProxyFailed", "s2"), gap("500 Oops"), gap("NameNotResolved"), gap("ProxyFailed", "s1")]
    lines = list(cures.told(gaps))
    assert [line.partition("; what to do: ")[0] for line in lines] == ["NameNotResolved", "ProxyFailed"]
    assert all("\n" not in line for line in lines)


def test_trouble_of_azure_itself_has_no_cure_here() -> None:
    assert list(cures.told([gap("403 AuthorizationFailed"), gap("429 RateLimiting"), gap("ConnectionReset")])) == []
    assert list(cures.told([])) == []


def test_every_cure_is_for_a_text_that_a_gap_can_have() -> None:
    trees = [ast.parse(inspect.getsource(module)) for module in (transport, arm, pages)]
    texts = {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert texts >= cures.WAYS.keys()
