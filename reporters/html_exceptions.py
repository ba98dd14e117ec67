"""What somebody decided: waivers, the baseline, changed parameters and options; then the facts of the run itself."""

from __future__ import annotations

from collections.abc import Iterator

from reporters import wording
from reporters.console_lines import count
from reporters.html_markup import Markup, el, link
from reporters.html_parts import LISTED, facts, filtered, left_out, moment, names, section, table
from reporters.html_tally import State, Tally
from scanner.model import Options, ScanResult


def exceptions(result: ScanResult, tally: Tally) -> Markup:
    """Everything that makes this result milder, or other, than the packs alone would."""
    known = tally.total[State.KNOWN]
    listed = filtered(count(known, "finding"), verdict="known")
    parts = [
        *_waivers(tally),
        el("p", listed, " known: in the baseline, so not blocking.") if known else None,
        *_parameters(result),
        *_options(result.info.options),
    ]
    nothing = el("p", "None: no waiver, no known finding, every parameter and option as the packs and arguard set them.")
    told = [one for one in parts if one is not None] or [nothing]
    return section("exceptions", "Exceptions", *told, about="What was accepted or changed on purpose.")


def _waivers(tally: Tally) -> Iterator[Markup]:
    if not tally.waivers:
        return
    marks = sorted(tally.waivers.items(), key=lambda item: (item[0].expires, item[0].id, item[0].owner, item[0].reason))
    rows = [
        (mark.id, mark.owner, mark.expires, mark.reason, f"{policies.total():,}", names(sorted(policies)))
        for mark, policies in marks[:LISTED]
    ]
    yield el("h3", "Waivers")
    columns = ("Waiver", "Owner", "Until", "Reason", "Rows", "Policies")
    yield table("Waivers that cover rows, the first to end first", columns, rows, more=left_out(len(marks) - LISTED, "waivers"))


def _parameters(result: ScanResult) -> Iterator[Markup]:
    """Each changed parameter once, with the policies that read it."""
    readers: dict[tuple[str, str, str], list[str]] = {}
    for policy in result.policies:
        for name, entry in sorted(policy.info.params.items()):
            if entry["origin"] != "default":
                readers.setdefault((name, wording.value(entry["value"]), str(entry["origin"])), []).append(policy.info.id)
    if readers:
        yield el("h3", "Changed parameters")
        rows = [(name, value, origin, names(policies)) for (name, value, origin), policies in readers.items()]
        yield table("Parameters that are not the pack's defaults", ("Parameter", "Value", "Set by", "Policies"), rows[:LISTED])


def _options(options: Options) -> Iterator[Markup]:
    """Options that are not arguard's defaults."""
    usual = Options()
    pairs = [
        ("--fail-on", (options.fail_on.word if options.fail_on else "never") if options.fail_on != usual.fail_on else ""),
        ("--profile", options.profile),
        ("--policy", ", ".join(options.policies)),
        ("--subscription", ", ".join(options.subscriptions)),
        ("--as-of", options.as_of if options.as_of != usual.as_of else ""),
        ("--max-age", f"{options.max_age_hours:g} hours" if options.max_age_hours != usual.max_age_hours else ""),
        ("--allow-incomplete", "yes" if options.allow_incomplete else ""),
    ]
    if any(value for _, value in pairs):
        yield el("h3", "Changed options")
        yield facts(pairs)


def run(result: ScanResult) -> Markup:
    """How this result came to be, so that it can be made again."""
    info = result.info
    fail_on = info.options.fail_on
    pairs = [
        ("Exit code", str(result.decision.exit_code)),
        ("Reasons", "; ".join(result.decision.reasons)),
        ("Blocks", f"findings at or above {fail_on.word}" if fail_on else "nothing (--fail-on never)"),
        ("Judged as of", moment(info.as_of)),
        ("Run", moment(info.run_time)),
        ("Collected", moment(info.collected_at) if info.collected_at else ""),
        ("Tool", info.tool),
        ("Libraries", ", ".join(f"{name} {version}" for name, version in sorted(info.libraries.items()))),
        ("Commit", info.commit),
        ("CI run", link(info.ci_run, info.ci_run)),
    ]
    digests = [(f"sha256 {name}", el("code", digest)) for name, digest in sorted(info.digests.items())]
    return section("run", "This run", facts([*pairs, *digests]))
