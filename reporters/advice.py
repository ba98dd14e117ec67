"""What to do about each reason why something was not seen or not decided."""

from __future__ import annotations

from typing import Final

from scanner.model import Reason

ADVICE: Final = {
    Reason.SCOPE_MISSING: "Check that the subscription is in the snapshot or readable, and collect it again.",
    Reason.SCOPE_DISABLED: "Enable the subscription, or take it out of the scope.",
    Reason.SCOPE_EMPTY: "Name the subscriptions, or give the identity a role on them.",
    Reason.RIGHTS_PARTIAL: "Give the identity the role Reader on the subscription: what it may not read, Azure leaves out.",
    Reason.DENIED: "Give the identity the read action that was refused; the role Reader holds all that are needed.",
    Reason.BAD_ANSWER: "Run again; if it stays, report it with what --log-file FILE wrote.",
    Reason.TRUNCATED: "Split the scope: fewer subscriptions in one run.",
    Reason.TENANT_LIMIT: "Run against a management group or a list of subscriptions instead of the whole tenant.",
    Reason.UNSTABLE: "The estate changed while it was read; run again when deployments are quiet.",
    Reason.THROTTLED: "Azure limits the request rate; run again later or with a longer deadline.",
    Reason.FAILED: "Run again; --log-file FILE keeps the error.",
    Reason.TIMEOUT: "Run again with a longer --query-timeout or a smaller scope.",
    Reason.UNSUPPORTED: "The offline engine cannot run this query; scan live, or use a snapshot that holds stored answers.",
    Reason.NOT_COLLECTED: "Collect the snapshot again with this resource type or table.",
    Reason.SHAPE_DRIFT: "Azure's answer has another shape than the policy expects; check for a newer version of the pack.",
    Reason.STALE: "Collect again, allow more with --max-age, or judge the past on purpose with --as-of snapshot.",
    Reason.POPULATION_SMALL: "Fewer resources than the policy's min_population; check scope and rights before trusting this.",
    Reason.EVAL_ERROR: "A value has another type than the policy expects; look at the evidence, then at the resource.",
    Reason.MISSING: "Azure returned no value here; open the resource in the portal, and check that its agent reports.",
    Reason.AMBIGUOUS: "Several objects match where one is expected; look at them in the evidence.",
    Reason.DUPLICATE: "Two rows share one identity; the policy's author must make its `key` or `subject` finer.",
    Reason.REDACTED: "The value was taken out of the snapshot as a secret; judge this resource live, or by hand.",
    Reason.SIDE_DENIED: "Mend the gap of the side table that the row names; these rows are then decided.",
}
