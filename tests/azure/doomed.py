"""A process that collects and kills itself at a chosen moment, as `kill -9` would."""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from threading import Event

from scanner.sources.azure.collect import Progress, collect
from scanner.sources.azure.writing import open_work, write_snapshot
from tests.azure.memory_azure import META, NOW, MemoryAzure, disk, order

LATER = NOW + timedelta(minutes=5)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)


def gather(folder: Path, azure: MemoryAzure, *, resume: bool = True) -> bool:
    """One collection from its beginning to its snapshot; whether it went on with an earlier one."""
    with open_work(folder, META, now=LATER, resume=resume) as work:
        collected = collect(order(), azure, work, now=LATER, stop=Event(), progress=Progress())
        write_snapshot(folder, collected, work)
        return work.resumed


def fresh(page_size: int = 1000) -> MemoryAzure:
    """An estate that is not the one that MemoryAzure has by itself."""
    rows = {"s1": [disk("s1", "d1"), disk("s1", "d2")], "s2": [disk("s2", "new")], "s3": []}
    return MemoryAzure(rows=rows, page_size=page_size)


def die_at_request(folder: Path, page_size: int, number: int) -> None:
    """Collect, and die when request `number` is about to be answered."""
    azure = fresh(page_size)
    azure.before = lambda now: die() if now >= number else None
    gather(folder, azure)


def die_at_change(folder: Path, number: int) -> None:
    """Collect, and die just before change `number` that writing the snapshot makes to the folder's files."""
    count = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        changes = event in {"os.rename", "os.remove", "os.rmdir", "os.mkdir"} or (event == "open" and arguments[1] is None)
        if changes and str(folder) in str(arguments[0]):
            count += 1
            if count >= number:
                die()

    with open_work(folder, META, now=LATER, resume=True) as work:
        collected = collect(order(), fresh(), work, now=LATER, stop=Event(), progress=Progress())
        sys.addaudithook(hook)
        write_snapshot(folder, collected, work)
