"""What each format writes in each profile, word for word, of one result that holds everything."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.reporters.whole import profiles, whole_result, written


@pytest.mark.parametrize(("name", "profile"), list(profiles()))
def test_golden(name: str, profile: str, check_golden: Callable[[str, bytes], None]) -> None:
    check_golden(".".join(filter(None, (name, profile))), written(name, profile, whole_result()))
