#!/bin/sh
# probe.sh: evidence from inside a Linux VM for arguard's azure-backup policies. Run it as root.
#
#   probe.sh [--out FILE] [--vm-id ID] [--root DIR]
#
# Reads    waagent.conf, /proc, /sys, /run, the systemd unit of the agent, and the version of the agent's Python.
# Writes   one JSON document to ./<vm>.json or FILE ("-" is stdout): whole or not at all, readable by you alone.
# Sends    one GET to the instance metadata service of this VM (169.254.169.254) for its own resource id, and opens TCP
#          connections to 168.63.129.16, ports 80, 443 and 32526, on which nothing is sent. Nothing else, to nobody else.
# Changes  nothing. Needs awk, od, sed, tr; curl or wget for the metadata, the agent's Python for the connections.
# Exits    0 a document was written, whatever it says; 2 wrong use, or no resource id; 4 the document cannot be written.
#
# What cannot be found out is "unknown", never "pass". For tests only: --root DIR reads files below DIR (commands still
# come from PATH), and ARGUARD_PROBE_METADATA_URL replaces the metadata service. The facts that are judged stand in
# https://learn.microsoft.com/en-us/azure/backup/backup-azure-troubleshoot-vm-backup-fails-snapshot-timeout ("the article")
# and in the agent's own code, https://github.com/Azure/WALinuxAgent ("WAL").
set -u
umask 077
LC_ALL=C
export LC_ALL

stop() { # CODE TEXT
    printf 'probe.sh: %s\n' "$2" >&2
    exit "$1"
}

# A JSON string of any bytes, in ASCII: control characters become spaces, other characters \uXXXX, broken UTF-8 \ufffd.
json() {
    printf '%s' "$1" | od -An -v -tu1 | awk '
        { for (i = 1; i <= NF; i++) byte[n++] = $i + 0 }
        END {
            printf "\""
            for (i = 0; i < n; i += 1 + k) {
                c = byte[i]; k = 0
                if (c == 34 || c == 92) printf "\\%c", c
                else if (c < 128) printf "%c", (c < 32 || c == 127) ? 32 : c
                else {
                    k = (c > 193 && c < 224) ? 1 : (c > 223 && c < 240) ? 2 : (c > 239 && c < 245) ? 3 : 0
                    v = c - (k == 1 ? 192 : k == 2 ? 224 : 240)
                    for (j = 1; j <= k && byte[i + j] > 127 && byte[i + j] < 192; j++) v = v * 64 + byte[i + j] - 128
                    if (!k || j <= k || v < (k == 2 ? 2048 : k == 3 ? 65536 : 128) || v > 1114111 || (v > 55295 && v < 57344)) { v = 65533; k = 0 }
                    if (v > 65535) printf "\\u%04x\\u%04x", 55296 + int((v - 65536) / 1024), 56320 + (v - 65536) % 1024
                    else printf "\\u%04x", v
                }
            }
            printf "\""
        }'
}

checks=
check() { # KEY STATUS JSON-VALUE DETAIL
    checks="$checks${checks:+,}
  \"$1\": {\"status\": \"$2\", \"value\": $3, \"detail\": $(json "$4")}"
}
unknown() { check "$1" unknown '"unknown"' "$2"; } # KEY REASON

# The first argument of the running agent: `python waagent -daemon`, or the `python WALinuxAgent-x.egg -run-exthandlers`
# that it starts (WAL agent.py, ga/update.py). Only processes of root count: any user can give a process these names, and
# the interpreter found here is run.
agent_process() {
    for pid in $(cd "$root/proc" 2>/dev/null && grep -lE 'waagent|WALinuxAgent' [0-9]*/cmdline 2>/dev/null); do
        pid=$root/proc/${pid%/cmdline}
        awk '$1 == "Uid:" && $2 == 0 && $3 == 0 { root = 1 } END { exit !root }' "$pid/status" 2>/dev/null || continue
        tr '\000' '\n' 2>/dev/null <"$pid/cmdline" | awk '
            NR == 1 { first = $0 }
            /(^|\/)waagent$/ || /(^|\/)WALinuxAgent-.*\.egg$/ { name = 1 }
            $0 == "-daemon" || $0 == "-run-exthandlers" { mode = 1 }
            END { if (!(name && mode)) exit 1; print first }' && return
    done
    return 1
}

# The interpreter that the agent uses: of its process, else of the first line of its program ("#!/usr/bin/env python3").
agent_python() { # FIRST-ARGUMENT
    line=$(sed -n '1s/^#! *//p' "$root/usr/sbin/waagent" "$root/usr/bin/waagent" 2>/dev/null)
    for python in "$1" "${line%% *}" "${line##* }"; do
        case $python in
        /*python*) printf '%s' "$root$python" && return ;;
        */*) ;;
        *python*) printf '%s' "$python" && return ;;
        esac
    done
}

agent_checks() {
    if first=$(agent_process); then check lin_agent_process pass true 'the agent runs as root'
    elif [ "$user" = 0 ]; then check lin_agent_process fail false 'no process of root is the agent: systemctl restart walinuxagent (Ubuntu, Debian) or waagent'
    else unknown lin_agent_process 'not found, but only root is sure to see every process'; fi

    version='' python=$(agent_python "$first")
    [ -z "$python" ] || version=$("$python" -V 2>&1 | sed -n '1s/^Python \([0-9]*\.[0-9]*[0-9a-z.+]*\).*/\1/p')
    case $version in # 2.6 or newer: the article, and WAL README.md "Requirements"
    '') unknown lin_python 'neither a process of the agent nor its program names a Python that tells its version' ;;
    [01].* | 2.[0-5] | 2.[0-5][!0-9]*) check lin_python fail "$(json "$version")" 'the agent needs Python 2.6 or newer' ;;
    *) check lin_python pass "$(json "$version")" "the agent's interpreter is $python" ;;
    esac
}

# "always" in every unit that WAL ships. "no" leaves a crashed agent dead, and so do on-success and on-watchdog, since a
# crash is neither (https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html#Restart=).
autorestart_check() {
    for unit in walinuxagent.service waagent.service; do
        shown=$(systemctl show -p LoadState -p Restart "$unit" 2>/dev/null) || continue
        case $shown in *LoadState=loaded*) ;; *) continue ;; esac
        restart=$(printf '%s\n' "$shown" | sed -n 's/^Restart=//p')
        case $restart in
        always | on-failure | on-abnormal | on-abort) check lin_agent_autorestart pass "$(json "$restart")" "systemd restarts $unit" ;;
        no | on-success | on-watchdog) check lin_agent_autorestart fail "$(json "$restart")" "systemd does not restart $unit after a crash: set Restart=always" ;;
        *) unknown lin_agent_autorestart "$unit says Restart=$restart" ;;
        esac
        return
    done
    unknown lin_agent_autorestart 'no systemd, or no unit walinuxagent or waagent in it: see how your init restarts the agent'
}

# Read as WAL common/conf.py reads it: a line that starts with # is none; the key goes up to the first =; a value loses what
# follows #, then quotes and spaces, then white space around it; the last line of a key wins; None is absent. Where Python
# strips what awk does not (a non-ASCII space), the line is "odd".
conf_values() { # FILE
    tr '\000' '\001' <"$1" | awk -v RS='\n' '
        function strip(s) { sub(/^[ \t\r\f\v]+/, "", s); sub(/[ \t\r\f\v]+$/, "", s); return s }
        !/^#/ && (at = index($0, "=")) {
            key = strip(substr($0, 1, at - 1)); value = substr($0, at + 1)
            sub(/#.*/, "", value); sub(/^[" ]+/, "", value); sub(/[" ]+$/, "", value); value = strip(value)
            plain = key; gsub(/[^!-~]/, "", plain)
            said[plain] = (plain != key || value ~ /[^ -~]/) ? " odd" : value == "None" ? " absent" : "=" substr(value, 1, 60)
        }
        function show(key) { print key ((key in said) ? said[key] : " absent") }
        END { show("Extensions.Enabled"); show("Provisioning.Agent"); show("Extensions.Enable") }'
}

# Backups need extensions, and Extensions.Enabled=n ends them; what is neither y nor n is the default y (WAL README.md,
# common/conf.py). Provisioning.Agent says who sets up a new VM and matters no more afterwards (WAL pa/provision/). The article
# wants auto; the agent also knows waagent, cloud-init and disabled, and backups work with each: they pass and are named. Any
# other word it takes for disabled without saying so: that fails, as a mistake. The article's Extensions.Enable is no key.
conf_check() {
    conf=$root/etc/waagent.conf
    [ -e "$conf" ] || { unknown lin_waagent_conf 'there is no /etc/waagent.conf: no agent, or its configuration is elsewhere'; return; }
    [ -f "$conf" ] && [ -r "$conf" ] || { unknown lin_waagent_conf '/etc/waagent.conf cannot be read: run this as root'; return; }
    [ -s "$conf" ] || { check lin_waagent_conf fail '"empty"' 'the agent does not start with an empty /etc/waagent.conf'; return; }
    case $(json "$(tr -d '\000' <"$conf")") in *\\ufffd*) unknown lin_waagent_conf '/etc/waagent.conf is not UTF-8, and the agent may fail to read it'; return ;; esac
    { read -r enabled; read -r agent; read -r misspelt; } <<END
$(conf_values "$conf")
END
    value=$(json "$enabled; $agent") notes=
    case $enabled in Extensions.Enabled=[yY]) ;; *) notes="; y is the agent's default for Extensions.Enabled" ;; esac
    case $agent in
    Provisioning.Agent=auto) ;;
    'Provisioning.Agent absent') notes="$notes; auto is the agent's default for Provisioning.Agent" ;;
    *) notes="$notes; the article wants Provisioning.Agent=auto" ;;
    esac
    [ "$misspelt" = 'Extensions.Enable absent' ] || notes="$notes; the agent has no key Extensions.Enable, that line sets nothing"
    case $enabled in
    Extensions.Enabled=[nN]) check lin_waagent_conf fail "$value" 'extensions are disabled, and the backup is one: set Extensions.Enabled=y'; return ;;
    'Extensions.Enabled odd') unknown lin_waagent_conf 'the line of Extensions.Enabled holds invisible characters: write it anew'; return ;;
    esac
    case ${agent#Provisioning.Agent} in
    ' odd') unknown lin_waagent_conf 'the line of Provisioning.Agent holds invisible characters: write it anew' ;;
    ' absent' | =auto | =waagent | =cloud-init | =disabled) check lin_waagent_conf pass "$value" "extensions are enabled$notes" ;;
    *) check lin_waagent_conf fail "$value" "the agent knows auto, waagent, cloud-init and disabled alone$notes" ;;
    esac
}

# 0 connected, 3 not, else there was no way to try. From / and without PYTHON*: nothing else is imported, no .pyc is written.
reach() { # PYTHON PORT
    (cd / && PYTHONPATH='' PYTHONHOME='' PYTHONDONTWRITEBYTECODE=1 "$1" -c '
import socket, sys
s = socket.socket()
s.settimeout(3)
try:
    s.connect(("168.63.129.16", int(sys.argv[1])))
except socket.error:
    sys.exit(3)' "$2" >/dev/null 2>&1)
}

# 80 and 32526 decide: the agent needs them (https://learn.microsoft.com/en-us/azure/virtual-network/what-is-ip-address-168-63-129-16).
# 443 is reported and never decides: the article still lists it, but Microsoft found that no VM uses it, and took it out of
# its other pages (https://github.com/MicrosoftDocs/azure-docs/pull/63408, /pull/114913). The agent's own firewall drops these
# connections for everybody but root (WAL ga/firewall_manager.py), so without root a refusal proves nothing.
wireserver_check() {
    values='' missed=''
    for port in 80 443 32526; do
        reach "${python:-python3}" $port
        case $?,$port in
        0,*) values="$values, \"$port open\"" ;;
        3,443) values="$values, \"$port closed\"" ;;
        3,*) values="$values, \"$port closed\"" missed="$missed $port" ;;
        *) unknown net_wireserver 'no Python to connect with'; return ;;
        esac
    done
    values="[${values#, }]"
    if [ -z "$missed" ]; then check net_wireserver pass "$values" '168.63.129.16 answers on 80 and 32526; 443 is not judged'
    elif [ "$user" = 0 ]; then check net_wireserver fail "$values" "168.63.129.16 does not answer on$missed: see the firewall of the guest"
    else check net_wireserver unknown "$values" "168.63.129.16 does not answer on$missed, but the agent's firewall lets root alone through"; fi
}

# The NIC of the default route is the primary one (WAL osutil/default.py). A lease shows as a "dynamic" address (it has a
# lifetime), as a file that networkd or wicked keep in /run while it holds, or as a DHCP client that runs for that NIC.
dhcp_check() {
    nic=$(awk '$2 == "00000000" && $8 == "00000000" && $4 ~ /[2367abefABEF]$/ && (nic == "" || $7 + 0 < metric) { nic = $1; metric = $7 + 0 }
        END { print nic }' "$root/proc/net/route" 2>/dev/null)
    [ -n "$nic" ] || { unknown net_dhcp 'no default route, so the primary NIC is not known'; return; }
    address=$(ip -4 -o addr show dev "$nic" 2>/dev/null)
    client=$(cd "$root/proc" 2>/dev/null && grep -lE 'dhclient|dhcpcd|udhcpc' [0-9]*/cmdline 2>/dev/null | while read -r file; do
        tr '\000' '\n' 2>/dev/null <"$file" | grep -Fx -e "$nic"; done)
    index=$(cat "$root/sys/class/net/$nic/ifindex" 2>/dev/null) || index=none
    proof=
    case $address in *' dynamic '*) proof='its address has a lease time' ;; esac
    [ ! -e "$root/run/systemd/netif/leases/$index" ] || proof='systemd-networkd holds a lease'
    [ ! -e "$root/run/wicked/leaseinfo.$nic.dhcp.ipv4" ] || proof='wicked holds a lease'
    [ -z "$client" ] || proof='a DHCP client runs for it'
    case $proof,$address in
    ,*' inet '*) check net_dhcp fail "$(json "$nic static")" "the address of the primary NIC $nic is permanent, and no known DHCP client serves it" ;;
    ,*) unknown net_dhcp "neither a lease nor an address of the primary NIC $nic was found" ;;
    *) check net_dhcp pass "$(json "$nic dhcp")" "the primary NIC is $nic: $proof" ;;
    esac
}

# The service answers this VM alone, never through a proxy. Not every wget has an option for a time-out.
metadata() { # URL
    if command -v curl >/dev/null 2>&1; then curl -q -s -f --noproxy '*' -m 5 -H 'Metadata: true' "$1"
    else timeout 5 wget -q -Y off -t 1 -O - --header 'Metadata: true' "$1"; fi 2>/dev/null
}

is_vm_id() { # TEXT
    printf '%s\n' "$1" | awk '
        !/[\001-\037\177]/ && tolower($0) ~ "^/subscriptions/[^/]+/resourcegroups/[^/]+/providers/[^/]+/(virtualmachinescalesets/[^/]+/)?virtualmachines/[^/]+$" { fine = 1 }
        END { exit !(fine && NR == 1) }'
}

document() {
    printf '{"id": %s,\n "collected_at": "%s",\n "tool": "arguard-probe/1 sh",\n "checks": {%s}}\n' \
        "$(json "$id")" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$checks"
}

out='' given='' root=''
while [ $# -gt 0 ]; do
    case $1 in
    --out | --vm-id | --root) [ -n "${2-}" ] || stop 2 "$1 needs a value" ;;
    -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" && exit 0 ;;
    *) stop 2 "unknown argument $1; see --help" ;;
    esac
    case $1 in --out) out=$2 ;; --vm-id) given=${2%/} ;; --root) root=$2 ;; esac
    shift 2
done
[ -z "$root" ] || root=$(CDPATH='' cd -- "$root" 2>/dev/null && pwd) || stop 2 '--root is no folder that can be entered'
[ -z "$given" ] || is_vm_id "$given" || stop 2 '--vm-id is not the resource id of a VM (/subscriptions/.../virtualMachines/NAME)'

id=$(metadata "${ARGUARD_PROBE_METADATA_URL:-http://169.254.169.254/metadata/instance/compute/resourceId?api-version=2021-02-01&format=text}")
is_vm_id "$id" || id=$given
[ -n "$id" ] || stop 2 'the instance metadata service did not tell the resource id of this VM, and --vm-id was not given; nothing was written'
[ -z "$given" ] || [ "$given" = "$id" ] || printf 'probe.sh: the metadata service says %s; --vm-id is not used\n' "$id" >&2
[ -n "$out" ] || out=$(printf '%s' "${id##*/}" | tr -c 'A-Za-z0-9._-' _).json
case $out in - | */*) ;; *) out=./$out ;; esac
[ ! -d "$out" ] || stop 2 "$out is a folder: name a file in it"

user=$(id -u)
agent_checks
autorestart_check
conf_check
wireserver_check
dhcp_check

if [ "$out" = - ]; then document || stop 4 'the document could not be written'; exit 0; fi
draft=$(mktemp "${out%/*}/.probe.XXXXXX") || stop 4 "no file can be written beside $out"
trap 'rm -f "$draft"' EXIT
trap 'exit 130' HUP INT TERM
document >"$draft" || stop 4 "$draft could not be written"
mv -f "$draft" "$out" || stop 4 "$out could not be written"
