"""Azure itself as a source: what is asked is collected as a snapshot, which is then judged like any other.

    clouds, credentials       where Azure is, and who asks
    transport, body           one request through the Azure SDK's pipeline, which can only read
    calls, troubles, bounded  retries, classes of failures and deadlines around it
    pace, pacer, signals      quotas: the state machines, and the waiting
    pages, graph              Azure Resource Graph: pages of a query until they are proven complete
    arm, sides, scope, rights what Resource Manager says: side tables, subscriptions, effective permissions
    asked, run, collect       everything that is asked, in parts, and what was proven of each answer (ledger, progress)
    work, writing             unfinished work that survives a kill, and the snapshot that is written from it

`wire` holds the plain data that passes between them. Importing this package loads no SDK.
"""
