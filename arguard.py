"""arguard: a policy-as-code compliance gate for Azure. `scanner` and `reporters` are private to this distribution."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path


def main() -> None:
    """Run the command line and exit with its code, unless foreign packages stand where arguard's own should be."""
    home = Path(__file__).resolve().parent
    for name in ("scanner", "reporters"):
        found = find_spec(name)
        origin = Path(found.origin).resolve() if found and found.origin else None
        if origin is None or origin.parent.parent != home:
            sys.stderr.write(
                f"arguard: another package named '{name}' hides arguard's own ({origin or 'nowhere'}); nothing was run\n"
                "arguard: hint: unset PYTHONPATH, or install arguard into an environment of its own (pipx install arguard)\n"
            )
            sys.exit(2)
    from scanner.cli import main as run  # noqa: PLC0415 - only after the check above

    sys.exit(run())


if __name__ == "__main__":
    main()
