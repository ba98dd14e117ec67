"""The straight line: policies and a source in, verdicts, gaps and a decision out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from traceback import extract_tb

from scanner.attach import Side, attach, index
from scanner.census import Freshness, Ledger, gaps, shape_gaps
from scanner.errors import ArguardError
from scanner.evaluate import evaluate
from scanner.gate import count, decide, weigh
from scanner.model import PolicyResult, ScanInfo, ScanResult, Trace
from scanner.plan import Asked, Plan
from scanner.policy import Attach
from scanner.sources import Answer, Source
from scanner.store import VerdictStore

logger = logging.getLogger("arguard.scan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be done: the plan, and what the reports say of the run.

    `stopped` is what ended the collecting early, if anything did: what was collected is judged all the same. `trace` holds
    the requests that a live scan made before it.
    """

    plan: Plan
    info: ScanInfo
    stopped: BaseException | None = None
    trace: Sequence[Trace] = ()


def scan(job: Job, source: Source, store: VerdictStore) -> ScanResult:
    """Ask every population once, judge each row, take the census, decide. An interruption or a bug ends it early, marked.

    Raises ArguardError for what the user can mend, such as an extra that is not installed: then nothing was scanned.
    """
    ledger = Ledger(stopped=job.stopped)
    try:
        for population in job.plan.populations:
            answer = ledger.of(population.query) or ledger.note(source.answer(population.query, job.info.as_of))
            logger.info("%s: %d rows, %d subscriptions", answer.table, answer.rows, len(answer.answered))
            sides = {
                one.policy.id: [_side(spec, job, source, ledger) for spec in one.policy.attach] for one in population.asked
            }
            for page in answer.pages():
                for asked in population.asked:
                    rows = attach(page, asked, sides[asked.policy.id], job.info.as_of)
                    store.extend(evaluate(asked, rows, answer.answered))
            ledger.finish(population.asked)
    except ArguardError:
        raise
    except (KeyboardInterrupt, Exception) as stop:  # noqa: BLE001 - whatever ends a scan, what was judged is reported
        ledger.stopped = job.stopped or stop
        _tell(stop)
    results = conclude(job, ledger, store)
    decision = decide(results, job.info.scope, job.info.options, ledger.stopped)
    return ScanResult(
        info=job.info, ledger=ledger.entries(), policies=results, findings=store, decision=decision, trace=job.trace
    )


def _tell(stop: BaseException) -> None:
    """Say aloud which bug ended a scan and where, without its text, which could hold the user's values; the log has it all."""
    if isinstance(stop, Exception):
        frame = extract_tb(stop.__traceback__)[-1]
        logger.error("a bug ended the scan: %s in %s, line %d", type(stop).__name__, frame.name, frame.lineno)
    logger.debug("the scan stopped early", exc_info=stop)


def conclude(job: Job, ledger: Ledger, store: VerdictStore) -> Sequence[PolicyResult]:
    """The result of every policy, in order of id: counts, and the gaps that the census found."""
    results = [PolicyResult(info=one.info, waits_for=one.waits_for) for one in job.plan.waiting]
    results += [_result(one, job, ledger, store) for one in job.plan.asked]
    return tuple(sorted(results, key=lambda result: result.info.id))


def _result(asked: Asked, job: Job, ledger: Ledger, store: VerdictStore) -> PolicyResult:
    options = job.info.options
    counts = count(store.of(asked.policy.id), asked.info, options)
    max_age = None if options.as_of == "snapshot" else timedelta(hours=options.max_age_hours)
    freshness = Freshness(collected_at=job.info.collected_at, now=job.info.as_of, max_age=max_age)
    found = gaps(asked, ledger, job.info.scope, freshness, counts.rows)
    drift = shape_gaps(asked, ledger, counts, store.of(asked.policy.id))
    return PolicyResult(info=asked.info, counts=counts, gaps=weigh(sorted({*found, *drift}), asked.info, options))


def _side(spec: Attach, job: Job, source: Source, ledger: Ledger) -> Side:
    return index(spec, _ask_side(spec, job, source, ledger))


def _ask_side(spec: Attach, job: Job, source: Source, ledger: Ledger) -> Answer:
    known = ledger.of_side(spec)
    if known is not None:
        return known
    return ledger.note(source.answer(spec.query, job.info.as_of) if spec.query else source.side(spec.source))
