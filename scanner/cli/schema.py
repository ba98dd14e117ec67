"""`arguard schema`: the JSON Schemas of the files that people write."""

from __future__ import annotations

import json

from scanner.cli.terminal import tell
from scanner.schemas import schemas
from scanner.sources import manifest


def run(name: str | None) -> int:
    """Print one schema, or all of them as an object by name."""
    texts = {file.split(".")[0]: json.loads(text) for file, text in schemas().items()}
    texts["snapshot"] = json.loads(manifest.schema())
    tell(json.dumps(texts[name] if name else texts, indent=2))
    return 0
