"""What the expressions and texts of a policy may read: columns, attached data and parameters, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scanner.assertion import Path, path_text
from scanner.assertion.paths import Many
from scanner.authoring.read import did_you_mean
from scanner.model import ColumnType
from scanner.policy import ORIGIN, SIDE_TABLES, Parameter
from scanner.views import VIEWS

SIDE_FIELDS: Mapping[str, frozenset[str]] = {table: frozenset(VIEWS[table]({"id": ""})) for table in SIDE_TABLES}
"""The columns of each side table's objects, as `scanner.views` makes them."""
_LITERALS = re.compile(r"'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """What stands under an attached name; `fields` is None where the columns are not known."""

    fields: frozenset[str] | None
    is_list: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Every name of one policy.

    `columns` is None where the query could not be tracked: then columns are not checked, but for names that are not even
    among `mentioned`, every word of a query that has problems of its own.
    """

    columns: Mapping[str, ColumnType] | None
    mentioned: frozenset[str] | None = None
    attached: Mapping[str, Attached]
    params: Mapping[str, Parameter]
    needs: Sequence[str]

    def wrong(self, path: Path) -> tuple[str, str] | None:
        """The word of `path` that names nothing and what is wrong with it, or None when all is well."""
        root = str(path[0])
        if root == "params" or (root == ORIGIN and root not in {*(self.columns or ()), *self.attached}):
            return self._wrong_parameter(path)
        if "params" in path[2:] and any(isinstance(step, Many) for step in path):
            words = (
                "a filter sees the elements of its list alone, not `params`; compare the whole list, as in max(list[*].size)"
            )
            return "params", words
        if root in self.attached:
            return self._wrong_attached(path, self.attached[root])
        return self._wrong_column(root, path)

    def _wrong_column(self, root: str, path: Path) -> tuple[str, str] | None:
        if self.columns is None:
            absent = self.mentioned is not None and root not in self.mentioned
            return (root, f"'{root}' is neither in the query nor attached") if absent else None
        if root not in self.columns:
            known = [*self.columns, *self.attached, "params"]
            return root, f"'{root}' is neither a column of the query nor attached{did_you_mean(root, known)}"
        if len(path) > 1 and self.columns[root] != "dynamic":
            words = f"the column '{root}' is a {self.columns[root]}; it has nothing inside, so {path_text(path)} is never there"
            return root, words
        return None

    def _wrong_parameter(self, path: Path) -> tuple[str, str] | None:
        name = path[1] if len(path) > 1 else ""
        if not isinstance(name, str) or not name:
            return str(path[0]), f"`{path[0]}` is read by name, as in {path[0]}.max_size"
        if name not in self.params:
            return name, f"there is no parameter '{name}'{did_you_mean(name, self.params)}"
        if self.params[name].default is None and f"parameter:{name}" not in self.needs:
            return name, f"the parameter '{name}' has no default; give it one, or add 'parameter:{name}' to `needs`"
        return None

    def _wrong_attached(self, path: Path, attached: Attached) -> tuple[str, str] | None:
        field = next((step for step in path[1:] if isinstance(step, str)), None)
        if field is not None and attached.is_list and path[1] == field:
            return str(path[0]), f"'{path[0]}' is a list; read its elements, as in {path[0]}[*].{field}"
        if field is not None and attached.fields is not None and field not in attached.fields:
            return field, f"what is attached as '{path[0]}' has no '{field}'{did_you_mean(field, attached.fields)}"
        return None


def offset_of(text: str, word: str) -> int:
    """Where a name stands in an expression or template, not counting what stands in its literals; 0 if nowhere."""
    bare = _LITERALS.sub(lambda match: " " * len(match[0]), text)
    match = re.search(rf"(?<![A-Za-z0-9_]){re.escape(word)}(?![A-Za-z0-9_])", bare)
    return match.start() if match else 0


def parameters_in(paths: Iterable[Path]) -> set[str]:
    """The names of the parameters among some paths."""
    return {path[1] for path in paths if path[0] in {"params", ORIGIN} and len(path) > 1 and isinstance(path[1], str)}
