"""Why a source that is not a table is refused, in one sentence."""

from __future__ import annotations

import re

_REASONS = {
    "database": "populations read the tables of Azure Resource Graph, not another database",
    "cluster": "populations read the tables of Azure Resource Graph, not another cluster",
    "arg": 'arg("") belongs to Log Analytics and Data Explorer: name the table itself',
    "adx": "populations read the tables of Azure Resource Graph, not Data Explorer",
    "workspace": "populations read the tables of Azure Resource Graph, not a workspace",
    "externaldata": "externaldata reads from elsewhere: a population holds what Azure Resource Graph holds",
    "external_data": "externaldata reads from elsewhere: a population holds what Azure Resource Graph holds",
    "external_table": "external_table() reads from elsewhere: a population holds what Azure Resource Graph holds",
    "datatable": "datatable brings rows of its own: a population holds what Azure Resource Graph holds",
    "print": "print brings a row of its own: a population holds what Azure Resource Graph holds",
    "range": "range brings rows of its own: a population holds what Azure Resource Graph holds",
    "materialize": "materialize() is not in Azure Resource Graph's subset: write the query itself",
    "find": "find is not in Azure Resource Graph's subset: name the table and use where",
    "search": "search is not in Azure Resource Graph's subset: name the table and use where",
    "evaluate": "evaluate is not in Azure Resource Graph's subset",
    "let": "let is not in Azure Resource Graph's list: write the value where it is used",
    "set": "set statements are not in Azure Resource Graph's list",
    "declare": "query parameters are not in Azure Resource Graph's list: parameters of a policy belong in `assert`",
}


def refused_source(words: str) -> str:
    """The sentence for something that stands where a table must stand."""
    first = re.match(r"\w*", words)
    reason = _REASONS.get(first[0] if first else "", "a query begins with the name of a table, such as resources")
    return f"`{words}`: {reason}"
