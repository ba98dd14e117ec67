#Requires -Version 5.1
# probe.ps1: evidence from inside a Windows VM for arguard's azure-backup policies. Run it as Administrator, 64-bit.
#
#   powershell -NoProfile -ExecutionPolicy Bypass -File probe.ps1 [-Out FILE] [-VmId ID]
#
# Reads    services, the registry, the Application log, Defender's exclusions, the effective AppLocker policy, the files of
#          the backup extension, and what "vssadmin list writers" says.
# Writes   one JSON document to .\<vm>.json or FILE ("-" is stdout), whole or not at all.
# Sends    one GET to the instance metadata service of this VM (169.254.169.254) for its own resource id, and opens TCP
#          connections to 168.63.129.16, ports 80, 443 and 32526, on which nothing is sent. Nothing else, to nobody else.
# Changes  nothing. (Any listing of VSS writers makes Windows start its Volume Shadow Copy service for some minutes.)
# Needs    no module that Windows does not bring.
# Exits    0 a document was written, whatever it says; 2 wrong use, or no resource id; 4 the document cannot be written.
#
# What cannot be found out is "unknown", never "pass". "The article" below is
# https://learn.microsoft.com/en-us/azure/backup/backup-azure-troubleshoot-vm-backup-fails-snapshot-timeout , and "its companion"
# https://learn.microsoft.com/en-us/azure/backup/backup-azure-vms-troubleshoot .
[CmdletBinding()]
param([string] $Out = '', [string] $VmId = '')

$ErrorActionPreference = 'Stop'
# Rules that forbid unsigned scripts (AppLocker, App Control) leave a language without .NET, in which nothing below works.
if ($ExecutionContext.SessionState.LanguageMode -ne 'FullLanguage') {
    Write-Warning 'probe.ps1 needs the full language mode: sign it, or allow it in your application control policy. Nothing was written.'
    exit 2
}

$Plugin = 'C:\Packages\Plugins\Microsoft.Azure.RecoveryServices.VMSnapshot'
$IdPattern = '\A/subscriptions/[^/]+/resourceGroups/[^/]+/providers/[^/]+/(virtualMachineScaleSets/[^/]+/)?virtualMachines/[^/]+\z'

function Exit-Probe([int] $Code, [string] $Text) {
    [Console]::Error.WriteLine("probe.ps1: $Text")
    exit $Code
}

function Get-Answer([string] $Status, $Value, [string] $Detail) {
    @{ Status = $Status; Value = $Value; Detail = ($Detail -replace '[\x00-\x1f\x7f]+', ' ') }
}

# JSON in ASCII. Half a surrogate pair is no text: the way through UTF-8 replaces it.
function ConvertTo-JsonText($Value) {
    if ($Value -is [bool]) { return $Value.ToString().ToLowerInvariant() }
    if ($Value -is [int] -or $Value -is [long]) { return $Value.ToString([Globalization.CultureInfo]::InvariantCulture) }
    if ($Value -is [array]) { return '[' + (@($Value | ForEach-Object { ConvertTo-JsonText $_ }) -join ', ') + ']' }
    $text = [Text.Encoding]::UTF8.GetString([Text.Encoding]::UTF8.GetBytes([string] $Value))
    '"' + [regex]::Replace($text, '[^\x20-\x21\x23-\x5b\x5d-\x7e]', { param($match) '\u{0:x4}' -f [int][char] $match.Value }) + '"'
}

function Get-MetadataId {
    try {
        $request = [Net.WebRequest]::Create('http://169.254.169.254/metadata/instance/compute/resourceId?api-version=2021-02-01&format=text')
        $request.Proxy = $null    # the service answers this VM alone, never through a proxy
        $request.Timeout = 5000
        $request.Headers.Add('Metadata', 'true')
        $response = $request.GetResponse()
        try { [IO.StreamReader]::new($response.GetResponseStream()).ReadToEnd().Trim() } finally { $response.Close() }
    } catch { '' }
}

function Test-VmId([string] $Id) { ($Id -match $IdPattern) -and ($Id -notmatch '[\x00-\x1f\x7f]') }

# State, StartMode and StartName of a service; nothing where there is none.
function Get-ServiceFact([string] $Name) { Get-CimInstance -ClassName Win32_Service -Filter "Name = '$Name'" }

function Test-AgentService {
    $service = Get-ServiceFact 'WindowsAzureGuestAgent'
    if (-not $service) { return Get-Answer 'fail' 'absent' 'the service Windows Azure Guest Agent is not installed: install the agent MSI' }
    $state = [string] $service.State
    if ($state -eq 'Running') { return Get-Answer 'pass' $state 'the service Windows Azure Guest Agent runs' }
    if ($state -like '*Pending') { return Get-Answer 'unknown' $state 'the service Windows Azure Guest Agent is starting or stopping: probe again' }
    Get-Answer 'fail' $state 'the service Windows Azure Guest Agent does not run'
}

# 378389 is .NET Framework 4.5: https://learn.microsoft.com/en-us/dotnet/framework/install/how-to-determine-which-versions-are-installed
function Test-DotNet {
    $key = 'HKLM:\SOFTWARE\Microsoft\NET Framework Setup\NDP\v4\Full'
    $release = $null
    if (Test-Path -LiteralPath $key) { $release = (Get-ItemProperty -LiteralPath $key).Release }
    if ($null -eq $release) { return Get-Answer 'fail' 'absent' 'the agent needs .NET Framework 4.5 or newer, and none is installed' }
    if ([long] $release -ge 378389) { return Get-Answer 'pass' ([long] $release) '.NET Framework 4.5 or newer is installed' }
    Get-Answer 'fail' ([long] $release) 'the agent needs .NET Framework 4.5 (Release 378389) or newer'
}

# The article wants it running. Windows starts it on demand and stops it when idle, so a stopped one proves nothing: whether
# it can start shows only when it is started, which this probe does not do.
function Test-ComPlus {
    $service = Get-ServiceFact 'COMSysApp'
    if (-not $service) { return Get-Answer 'fail' 'absent' 'the service COM+ System Application is missing' }
    $value = "$($service.State), $($service.StartMode)"
    if ($service.State -eq 'Running') { return Get-Answer 'pass' $value 'COM+ System Application runs' }
    if ($service.StartMode -eq 'Disabled') { return Get-Answer 'fail' $value 'COM+ System Application is disabled, and the extension needs it' }
    Get-Answer 'unknown' $value 'COM+ System Application starts on demand; "net start COMSysApp" shows whether it can'
}

# Network Service is S-1-5-20, in whatever language its name is written.
function Test-MsdtcAccount {
    $service = Get-ServiceFact 'MSDTC'
    if (-not $service) { return Get-Answer 'fail' 'absent' 'the service Distributed Transaction Coordinator is missing: msdtc -install' }
    $account = [string] $service.StartName
    if (-not $account) { return Get-Answer 'unknown' 'unknown' 'Windows does not tell the account of Distributed Transaction Coordinator' }
    $right = $account -match '\ANT AUTHORITY\\Network ?Service\z'
    if (-not $right) {
        try { $right = [Security.Principal.NTAccount]::new($account).Translate([Security.Principal.SecurityIdentifier]).Value -eq 'S-1-5-20' }
        catch { $right = $false }
    }
    if (-not $right) { return Get-Answer 'fail' $account 'Distributed Transaction Coordinator must run as Network Service' }
    if ($service.StartMode -eq 'Disabled') { return Get-Answer 'fail' "$account, Disabled" 'Distributed Transaction Coordinator is disabled' }
    Get-Answer 'pass' $account "Distributed Transaction Coordinator has the account Network Service; now $($service.State)"
}

# The companion: every writer must be "[1] Stable". The texts are in the language of Windows, the numbers are VSS_WRITER_STATE
# (https://learn.microsoft.com/en-us/windows/win32/api/vss/ne-vss-vss_writer_state): 2 to 5 wait inside a backup, the rest failed.
function Test-VssWriter {
    if (-not $Administrator) { return Get-Answer 'unknown' 'unknown' 'only an Administrator may list the VSS writers' }
    $start = [Diagnostics.ProcessStartInfo]::new([IO.Path]::Combine([Environment]::SystemDirectory, 'vssadmin.exe'), 'list writers')
    $start.UseShellExecute = $false
    $start.RedirectStandardOutput = $true
    $process = [Diagnostics.Process]::Start($start)
    $reading = $process.StandardOutput.ReadToEndAsync()
    if (-not $reading.Wait(120000)) {
        $process.Kill()
        return Get-Answer 'unknown' 'unknown' 'vssadmin list writers gave no answer within two minutes: a writer hangs'
    }
    $process.WaitForExit()
    $writers = 0
    $failed = @()
    $waiting = @()
    foreach ($block in [regex]::Split($reading.Result, '(?:\r?\n[ \t]*){2,}')) {
        if ($block -notmatch '\{[0-9A-Fa-f]{8}-') { continue }    # a writer has an id
        $state = [regex]::Match($block, '\[(\d{1,2})\]')
        if (-not $state.Success) { return Get-Answer 'unknown' 'unknown' 'what vssadmin says of a writer holds no state' }
        $number = [int] $state.Groups[1].Value
        $name = ($block.Trim() -split '[:\r\n]+')[1] -replace '^\W+|\W+$', ''
        $writers += 1
        if ($number -ge 2 -and $number -le 5) { $waiting += "$name [$number]" } elseif ($number -ne 1) { $failed += "$name [$number]" }
    }
    if ($failed.Count -gt 0) { return Get-Answer 'fail' ([string[]] ($failed + $waiting)) 'VSS writers are in a failed state: restart their services' }
    if ($process.ExitCode -ne 0 -or $writers -eq 0) { return Get-Answer 'unknown' 'unknown' "vssadmin list writers ended with code $($process.ExitCode) and $writers writers" }
    if ($waiting.Count -gt 0) { return Get-Answer 'unknown' ([string[]] $waiting) 'VSS writers wait for a backup to go on: one runs, or it hangs; probe again' }
    Get-Answer 'pass' "$writers stable" 'every VSS writer is stable'
}

# The article: where the Application log holds crashes of IaaSBcdrExtension.exe, the antivirus may be the cause; exclude two
# folders. Without a crash nothing needs excluding. Only Defender's exclusions can be read; of event 1000, the first property
# is the program, in every language.
function Test-AntivirusExclusion {
    $folders = $Plugin, 'C:\WindowsAzure\Logs\Plugins\Microsoft.Azure.RecoveryServices.VMSnapshot'
    $excluded = 0
    try {
        $paths = @((Get-MpPreference).ExclusionPath | Where-Object { $_ } | ForEach-Object { [Environment]::ExpandEnvironmentVariables($_).TrimEnd('\') })
        $excluded = @($folders | Where-Object { $folder = $_; @($paths | Where-Object { "$folder\".StartsWith("$_\", 'OrdinalIgnoreCase') }).Count -gt 0 }).Count
    } catch { $excluded = 0 }    # no Defender here
    $crashes = 0
    $since = [DateTime]::Now.AddDays(-7)
    try {
        $crashes = @(Get-WinEvent -FilterHashtable @{ LogName = 'Application'; ProviderName = 'Application Error'; Id = 1000; StartTime = $since } |
            Where-Object { $_.Properties[0].Value -eq 'IaaSBcdrExtension.exe' }).Count
    } catch { if ($_.FullyQualifiedErrorId -notlike 'NoMatchingEventsFound*') { throw } }
    $oldest = (Get-WinEvent -LogName Application -Oldest -MaxEvents 1).TimeCreated
    $value = "crashes in 7 days: $crashes; excluded in Defender: $excluded of 2"
    if ($excluded -eq 2) { return Get-Answer 'pass' $value 'Defender excludes both folders of the extension' }
    if ($crashes -gt 0) { return Get-Answer 'fail' $value 'IaaSBcdrExtension.exe crashed: exclude its two folders from your antivirus and back up again' }
    if ($oldest -gt [DateTime]::Now.AddDays(-1)) { return Get-Answer 'unknown' $value 'no crash of IaaSBcdrExtension.exe, but the Application log is younger than a day' }
    Get-Answer 'pass' $value 'no crash of IaaSBcdrExtension.exe in the Application log, so nothing needs excluding'
}

# Executable rules bind unless they only audit, also where enforcement is "not configured"
# (https://learn.microsoft.com/en-us/windows/security/application-security/application-control/app-control-for-business/applocker/understanding-applocker-rule-behavior).
# The extension runs as SYSTEM, which is also an Administrator; the test does not look into groups, so both are asked.
# Policies of MDM and other products are not in the effective policy of this cmdlet.
function Test-AppLocker {
    $rules = ([xml] (Get-AppLockerPolicy -Effective -Xml)).SelectSingleNode("/AppLockerPolicy/RuleCollection[@Type='Exe']")
    if (-not $rules -or $rules.SelectNodes('FilePublisherRule|FilePathRule|FileHashRule').Count -eq 0) {
        return Get-Answer 'pass' 'no rules' 'AppLocker has no rules for executables; other products are not looked at'
    }
    if ($rules.GetAttribute('EnforcementMode') -eq 'AuditOnly') { return Get-Answer 'pass' 'audit only' 'the AppLocker rules for executables only audit' }
    if (-not $Administrator) { return Get-Answer 'unknown' 'enforced' 'only an Administrator may test the extension against the AppLocker rules' }
    $file = $null
    if (Test-Path -LiteralPath $Plugin) {
        $file = Get-ChildItem -LiteralPath $Plugin -Filter 'IaaSBcdrExtension.exe' -Recurse | Sort-Object -Property LastWriteTime | Select-Object -Last 1
    }
    if (-not $file) { return Get-Answer 'unknown' 'enforced' 'AppLocker rules bind, and the extension, which the first backup installs, is not here to be tested' }
    $policy = Get-AppLockerPolicy -Effective
    $decisions = [string[]] @('S-1-5-18', 'S-1-5-32-544' | ForEach-Object { [string] (Test-AppLockerPolicy -PolicyObject $policy -Path $file.FullName -User $_).PolicyDecision })
    if ($decisions -notcontains 'Denied' -and @($decisions -like 'Allowed*').Count -gt 0) { return Get-Answer 'pass' $decisions 'AppLocker allows IaaSBcdrExtension.exe' }
    Get-Answer 'fail' $decisions 'AppLocker denies IaaSBcdrExtension.exe: allow it by its publisher or path'
}

# The article names Visual C++ 2015, and tells to run vcredist2013_x64; older versions of it named 2013. So the module itself
# is asked: which runtime do its imports name, and is that in System32 (or beside it)?
function Test-VisualCppRuntime {
    if (-not $Administrator) { return Get-Answer 'unknown' 'unknown' 'only an Administrator may read the files of the extension' }
    $module = $null
    if (Test-Path -LiteralPath $Plugin) {
        $module = Get-ChildItem -LiteralPath $Plugin -Filter 'iaasvmprovider.dll' -Recurse | Sort-Object -Property LastWriteTime | Select-Object -Last 1
    }
    if (-not $module) { return Get-Answer 'unknown' 'unknown' 'iaasvmprovider.dll is not here; the first backup installs the extension' }
    $text = [Text.Encoding]::GetEncoding(28591).GetString([IO.File]::ReadAllBytes($module.FullName))
    $names = @([regex]::Matches($text, '(?i)(?:msvc[pr]\d{3}|vcruntime\d{3}(?:_1)?)\.dll') | ForEach-Object { $_.Value.ToLowerInvariant() } | Sort-Object -Unique)
    if ($names.Count -eq 0) { return Get-Answer 'unknown' 'unknown' 'iaasvmprovider.dll names no Visual C++ runtime' }
    $missing = @($names | Where-Object { $name = $_; -not (@([Environment]::SystemDirectory, $module.DirectoryName) | Where-Object { Test-Path -LiteralPath "$_\$name" }) })
    if ($missing.Count -eq 0) { return Get-Answer 'pass' ([string[]] $names) 'the Visual C++ runtime that iaasvmprovider.dll names is installed' }
    Get-Answer 'fail' ([string[]] $missing) 'the Visual C++ runtime that iaasvmprovider.dll names is missing: run vcredist*_x64 from the folder of the extension'
}

# 80 and 32526 decide: the agent needs them (https://learn.microsoft.com/en-us/azure/virtual-network/what-is-ip-address-168-63-129-16).
# 443 is reported and never decides: the article still lists it, but Microsoft found that no VM uses it, and took it out of
# its other pages (https://github.com/MicrosoftDocs/azure-docs/pull/63408, /pull/114913). Guest agents may let Administrators
# alone connect, so without their rights a refusal proves nothing.
function Test-WireServer {
    $values = @()
    $missed = @()
    foreach ($port in 80, 443, 32526) {
        $client = [Net.Sockets.TcpClient]::new()
        $open = $false
        try { $open = $client.ConnectAsync('168.63.129.16', $port).Wait(3000) } catch { $open = $false } finally { $client.Close() }
        if ($open) { $values += "$port open" } else { $values += "$port closed" }
        if (-not $open -and $port -ne 443) { $missed += $port }
    }
    $values = [string[]] $values
    if ($missed.Count -eq 0) { return Get-Answer 'pass' $values '168.63.129.16 answers on 80 and 32526; 443 is not judged' }
    if (-not $Administrator) { return Get-Answer 'unknown' $values "168.63.129.16 does not answer on $missed; try as Administrator" }
    Get-Answer 'fail' $values "168.63.129.16 does not answer on ${missed}: see the firewall of the guest"
}

# Azure gives a default gateway to the primary NIC.
function Test-Dhcp {
    $nic = Get-CimInstance -ClassName Win32_NetworkAdapterConfiguration -Filter 'IPEnabled = TRUE' |
        Where-Object { @($_.DefaultIPGateway | Where-Object { $_ -and $_ -ne '0.0.0.0' }).Count -gt 0 } | Sort-Object -Property IPConnectionMetric | Select-Object -First 1
    if (-not $nic) { return Get-Answer 'unknown' 'unknown' 'no NIC has a default gateway, so the primary one is not known' }
    if ($nic.DHCPEnabled -isnot [bool]) { return Get-Answer 'unknown' 'unknown' "Windows does not tell whether DHCP is enabled on $($nic.Description)" }
    if ($nic.DHCPEnabled) { return Get-Answer 'pass' $true "DHCP is enabled on the primary NIC, $($nic.Description)" }
    Get-Answer 'fail' $false "DHCP is disabled on the primary NIC, $($nic.Description): set static addresses in Azure, not in Windows"
}

if ($env:OS -ne 'Windows_NT') { Exit-Probe 2 'this is for Windows; see probe.sh' }
if ([Environment]::Is64BitOperatingSystem -and -not [Environment]::Is64BitProcess) { Exit-Probe 2 'this is a 32-bit PowerShell, which sees another registry: use the 64-bit one' }
$VmId = $VmId.TrimEnd('/')
if ($VmId -and -not (Test-VmId $VmId)) { Exit-Probe 2 '-VmId is not the resource id of a VM (/subscriptions/.../virtualMachines/NAME)' }
$id = [string] (Get-MetadataId)
if (-not (Test-VmId $id)) { $id = $VmId }
if (-not $id) { Exit-Probe 2 'the instance metadata service did not tell the resource id of this VM, and -VmId was not given; nothing was written' }
if ($VmId -and $VmId -ne $id) { [Console]::Error.WriteLine("probe.ps1: the metadata service says $id; -VmId is not used") }

$Administrator = [Security.Principal.WindowsPrincipal]::new([Security.Principal.WindowsIdentity]::GetCurrent()).IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
$tests = [ordered]@{
    win_agent_service  = 'Test-AgentService'
    win_dotnet_release = 'Test-DotNet'
    win_complus        = 'Test-ComPlus'
    win_msdtc_account  = 'Test-MsdtcAccount'
    win_vss_writers    = 'Test-VssWriter'
    win_av_exclusions  = 'Test-AntivirusExclusion'
    win_applocker      = 'Test-AppLocker'
    win_vcredist       = 'Test-VisualCppRuntime'
    net_wireserver     = 'Test-WireServer'
    net_dhcp           = 'Test-Dhcp'
}
$checks = @(foreach ($key in $tests.Keys) {
    try { $answer = & $tests[$key] } catch { $answer = Get-Answer 'unknown' 'unknown' "it could not be found out: $($_.Exception.Message)" }
    '  "{0}": {{"status": "{1}", "value": {2}, "detail": {3}}}' -f $key, $answer.Status, (ConvertTo-JsonText $answer.Value), (ConvertTo-JsonText $answer.Detail)
})
$now = [DateTime]::UtcNow.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", [Globalization.CultureInfo]::InvariantCulture)
$json = "{""id"": $(ConvertTo-JsonText $id),`n ""collected_at"": ""$now"",`n ""tool"": ""arguard-probe/1 ps1"",`n ""checks"": {`n$($checks -join ",`n")}}`n"

if ($Out -eq '-') {
    [Console]::Out.Write($json)
    exit 0
}
if (-not $Out) { $Out = (($id -split '/')[-1] -replace '[^A-Za-z0-9._-]', '_') + '.json' }
$draft = ''
try {
    $target = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Out)
    $draft = [IO.Path]::Combine([IO.Path]::GetDirectoryName($target), [IO.Path]::GetRandomFileName())
    [IO.File]::WriteAllText($draft, $json, [Text.UTF8Encoding]::new($false))
    if ([IO.File]::Exists($target)) { [IO.File]::Replace($draft, $target, [NullString]::Value) } else { [IO.File]::Move($draft, $target) }
} catch {
    if ($draft) { [IO.File]::Delete($draft) }
    Exit-Probe 4 "$Out could not be written: $($_.Exception.Message)"
}
exit 0
