"""Programs that tests need, installed as Debian's packages; where that cannot be, the test fails: it is never left out."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable


def install(packages: Iterable[str]) -> None:
    """Install packages, as root or by sudo."""
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    for command in (["update", "-qq"], ["install", "-qq", "--no-install-recommends", "-y", *packages]):
        subprocess.run([*root, "apt-get", *command], check=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
