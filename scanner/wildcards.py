"""Patterns with `*`, as Azure writes actions in roles: each star stands for any characters, `/` included."""

from __future__ import annotations


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern matches a whole text, both in one case; each part between stars is found as early as it can be.

    So the time grows with the length of the text, whatever the pattern: patterns come from custom roles, which others write.
    """
    first, *rest = pattern.split("*")
    if not rest:
        return text == first
    *middle, last = rest
    if not text.startswith(first):
        return False
    at = len(first)
    for part in middle:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return text.endswith(last) and len(text) - len(last) >= at
