"""One scan's result that holds every verdict, mark, severity and gap, and what it is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from scanner.gate import count
from scanner.ids import canonical, name_of, resource_group_of, subscription_of, type_of
from scanner.model import (
    Because,
    Counts,
    Decision,
    Finding,
    Gap,
    LedgerEntry,
    Options,
    PolicyInfo,
    PolicyResult,
    Reason,
    Resource,
    ScanInfo,
    ScanResult,
    Scope,
    Severity,
    Subscription,
    Verdict,
    WaiverMark,
)

HOSTILE = (
    "a\x00\x1b[31m\u202e]]></x>\n::error::b ##vso[task.setvariable]c ##[error]d ##teamcity[e]"
    "\u2028<&>\"'=1|`[x](//y){0}\ufffe\ud800"
)
"""Text that attacks every format at once."""
PROD, TEST = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
LOCK = f"/subscriptions/{PROD}/providers/microsoft.authorization/locks/do-not-delete"
WAIVER = WaiverMark(id="W-7", owner="backup-team", reason="migration in progress", expires="2026-12-31")
WHY = """Backup asks the agent to freeze the disks.
An agent that does not answer makes the job fail, or the recovery
point only crash-consistent.
"""
FIX = """1. Restart the agent:
   az vm run-command invoke --command-id RunShellScript -g RG -n VM --scripts 'systemctl restart walinuxagent'
2. Run the backup again.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Verdicts as the store gives them back."""

    findings: Mapping[str, Sequence[Finding]] = field(default_factory=dict)

    def of(self, policy: str) -> Iterator[Finding]:
        return iter(sorted(self.findings.get(policy, ()), key=lambda one: (one.resource.id, one.subject)))


def resource(name: str, *, group: str = "RG-App", subscription: str = PROD) -> Resource:
    display = f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}"
    return Resource(
        id=canonical(display),
        display_id=display,
        name=name_of(display),
        type=type_of(display),
        subscription=subscription_of(display),
        resource_group=resource_group_of(display),
        location="westeurope",
    )


def policy(number: str, severity: Severity, *, title: str, **more: object) -> PolicyInfo:
    base = PolicyInfo(
        id=f"ABK{number}",
        name=f"defect-of-{number}",
        title=title,
        severity=severity,
        highest=severity,
        pack="azure-backup",
        file=f"azure-backup/ABK{number}-defect-of-{number}.yaml",
        line=21,
        why=WHY,
        fix=FIX,
        references=(
            "https://learn.microsoft.com/azure/backup/backup-azure-troubleshoot-vm-backup-fails-snapshot-timeout#agent",
        ),
        tags=("agent", "backup"),
        explains=("UserErrorGuestAgentStatusUnavailable",),
        params={"min_version": {"value": "2.7.41491.1010", "origin": "default"}},
    )
    return replace(base, **more)  # type: ignore[arg-type]


def finding(info: PolicyInfo, name: str, verdict: Verdict, **more: object) -> Finding:
    return replace(Finding(policy=info.id, resource=resource(name), verdict=verdict, severity=info.severity), **more)  # type: ignore[arg-type]


def because(found: Finding) -> Because:
    """A finding as what explains a failed job."""
    return Because(
        policy=found.policy,
        id=found.resource.id,
        subject=found.subject,
        display_id=found.resource.display_id,
        severity=found.severity,
        message=found.message,
        fingerprint=found.fingerprint,
    )


def counted(findings: Sequence[Finding], info: PolicyInfo) -> Counts:
    """What the gate counts."""
    return count(findings, info, Options())


def result_of(
    parts: Sequence[tuple[PolicyInfo, Sequence[Finding], Sequence[Gap]]],
    *,
    waiting: Sequence[PolicyResult] = (),
    decision: Decision | None = None,
) -> ScanResult:
    """A result that agrees with itself; the decision may be given."""
    judged = [PolicyResult(info=info, counts=counted(found, info), gaps=tuple(gaps)) for info, found, gaps in parts]
    missing = any(one.counts.hiding or any(gap.counts for gap in one.gaps) for one in judged) or not judged
    blocking = sum(one.counts.blocking for one in judged)
    reasons = [f"{blocking} blocking findings at or above high"] if blocking else ["nothing blocks"]
    reasons += ["something that counts was not seen"] if missing else []
    code = 1 if blocking else 3 if missing else 0
    found = Stored(findings={info.id: tuple(found) for info, found, _ in parts})
    return ScanResult(
        info=scan_info(),
        ledger=(
            LedgerEntry(table="protected-vms", digest="ab" * 32, answered=(PROD, TEST), rows=9),
            LedgerEntry(table="arm_locks", answered=(PROD,), rows=1),
        ),
        policies=tuple(sorted([*judged, *waiting], key=lambda one: one.info.id)),
        findings=found,
        decision=decision or Decision(exit_code=code, complete=not missing, reasons=tuple(reasons)),
    )


def scan_info() -> ScanInfo:
    moment = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
    return ScanInfo(
        tool="arguard 0.1.0",
        libraries={"jmespath": "1.1.0", "duckdb": "2.0.0"},
        run_time=moment,
        as_of=moment,
        collected_at=moment,
        source="snapshot",
        scope=Scope(
            kind="proven",
            expected=(PROD, TEST),
            management_groups=("contoso",),
            subscriptions=tuple(Subscription(id=one, name=f"sub-{one[0]}", state="Enabled") for one in (PROD, TEST)),
        ),
        options=Options(profile="article", params={"max_disk_gib": 32768}, as_of="snapshot"),
        digests={"snapshot": "cd" * 32, "pack:azure-backup": "ef" * 32},
        commit="0123456789abcdef0123456789abcdef01234567",
        ci_run="https://ci.example.com/runs/7",
        pipeline={
            "organization": "contoso",
            "project": "11111111-1111-1111-1111-111111111111",
            "definition_id": "42",
            "definition_name": "Nightly compliance",
            "phase_id": "22222222-2222-2222-2222-222222222222",
            "phase_name": "Judge",
            "branch": "refs/heads/main",
            "build_id": "98765",
        },
    )


def canonical_result() -> ScanResult:
    locks = policy("101", Severity.CRITICAL, title="Restore point groups carry no lock")
    agent = policy("301", Severity.HIGH, title="The VM agent of every running protected VM reports Ready")
    extension = policy("401", Severity.MEDIUM, title="Every extension of a protected VM is provisioned")
    size = {"max_disk_gib": {"value": 32768, "origin": "profile"}}
    disks = policy("501", Severity.LOW, title="No protected disk is larger than backup supports", params=size)
    tags = policy("502", Severity.INFO, title="Protected machines name their owner", references=(), tags=())
    gone = policy("601", Severity.HIGH, title="No protected item is orphaned")
    idle = policy("602", Severity.HIGH, title="No protection is paused")
    proof = policy("701", Severity.HIGH, title="The network path was proven")
    return result_of(
        [
            (
                locks,
                _lock_rows(locks),
                [Gap(reason=Reason.DENIED, table="arm_locks", subscription=TEST, text="403 AuthorizationFailed")],
            ),
            (agent, _agent_rows(agent), []),
            (extension, _extension_rows(extension), []),
            (disks, _disk_rows(disks), [Gap(reason=Reason.STALE, text="the snapshot is older than 24 hours", counts=False)]),
            (tags, [finding(tags, "web01", Verdict.FAIL, message="web01 has no tag owner.")], []),
            (gone, [], []),
            (idle, [finding(idle, "off01", Verdict.NOT_APPLICABLE, message="the VM no longer exists")], []),
        ],
        waiting=[PolicyResult(info=proof, waits_for=("evidence", "parameter:proxy"))],
        decision=Decision(
            exit_code=1,
            complete=False,
            reasons=(
                "5 blocking findings at or above high",
                "4 rows were not decided and could hide a blocking finding",
                "1 policy did not see everything (DENIED)",
            ),
        ),
    )


def _lock_rows(info: PolicyInfo) -> list[Finding]:
    fails = [
        finding(
            info,
            name,
            Verdict.FAIL,
            cause=LOCK,
            message=f"{name} carries the lock 'do-not-delete' (CanNotDelete).",
            evidence={"locks": [{"id": LOCK, "level": "CanNotDelete"}]},
        )
        for name in ("group1", "group2")
    ]
    waived = finding(info, "group3", Verdict.FAIL, message="group3 carries a lock", waiver=WAIVER, cause=LOCK)
    known = finding(info, "group4", Verdict.FAIL, message="group4 carries a lock", known=True)
    return [*fails, waived, known, finding(info, "group5", Verdict.PASS, known=False, evidence={"locks": []})]


def _agent_rows(info: PolicyInfo) -> list[Finding]:
    evidence = {
        "status.agent_code": "ProvisioningState/failed/1",
        "params.min_version": {"value": "2.7.41491.1010", "origin": "default"},
        "big": 2**70,
        "deep": {"b": [1, 2.5, None, True], "a": "ü"},
    }
    hostile = Resource(
        id=canonical(f"/subscriptions/{PROD}/resourceGroups/x/providers/y/z/{HOSTILE}"),
        display_id=f"/subscriptions/{PROD}/resourceGroups/x/providers/y/z/{HOSTILE}",
        name=HOSTILE,
        type=HOSTILE,
        subscription=PROD,
        resource_group=HOSTILE,
        location=HOSTILE,
    )
    twin = finding(
        info, "twin", Verdict.UNKNOWN, reason=Reason.DUPLICATE, message="several rows share this policy, resource and subject"
    )
    return [
        finding(
            info,
            "web01",
            Verdict.FAIL,
            message="The agent of web01 reports Not Ready (ProvisioningState/failed/1).",
            evidence=evidence,
        ),
        finding(info, "web02", Verdict.FAIL, known=False, message="The agent of web02 reports Not Ready"),
        replace(
            finding(
                info,
                "x",
                Verdict.FAIL,
                subject=HOSTILE,
                message=HOSTILE,
                cause=HOSTILE,
                evidence={HOSTILE: [HOSTILE, {HOSTILE: 1}]},
            ),
            resource=hostile,
        ),
        finding(info, "web03", Verdict.PASS, evidence={"status.agent_code": "ProvisioningState/succeeded"}),
        finding(info, "web04", Verdict.NOT_APPLICABLE, message="the VM is not running"),
        finding(info, "web05", Verdict.UNKNOWN, reason=Reason.MISSING, message="status.agent_code is missing or null"),
        finding(info, "web06", Verdict.UNKNOWN, reason=Reason.SIDE_DENIED, message="arm_vm_status did not answer"),
        finding(
            info, "web07", Verdict.UNKNOWN, reason=Reason.REDACTED, message="status was redacted as a secret", waiver=WAIVER
        ),
        twin,
        twin,
    ]


def _extension_rows(info: PolicyInfo) -> list[Finding]:
    return [
        finding(info, "web01", Verdict.FAIL, subject="extension:aad", message="The extension aad of web01 reports Failed."),
        finding(
            info,
            "web01",
            Verdict.FAIL,
            subject="extension:bkp",
            severity=Severity.LOW,
            message="The extension bkp of web01 is Updating.",
        ),
        finding(info, "web01", Verdict.PASS, subject="extension:mon"),
        finding(
            info,
            "web02",
            Verdict.UNKNOWN,
            subject="extension:old",
            reason=Reason.EVAL_ERROR,
            message="lower() wants a string, got a number",
        ),
    ]


def _disk_rows(info: PolicyInfo) -> list[Finding]:
    return [
        finding(info, "disk1", Verdict.FAIL, message="disk1 has 40,960 GiB (limit 32,768)."),
        finding(info, "disk2", Verdict.PASS),
    ]
