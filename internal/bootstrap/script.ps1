begin {
  $ErrorActionPreference = 'Stop'
  $ProgressPreference = 'SilentlyContinue'
  $want = $null
  $gz = $null
  function Say($t) { [Console]::Out.WriteLine($t); [Console]::Out.Flush() }
  function Sum($p) {
    $f = [IO.File]::OpenRead($p)
    try { $h = [Security.Cryptography.SHA256]::Create().ComputeHash($f) } finally { $f.Close() }
    return [BitConverter]::ToString($h).Replace('-', '').ToLower()
  }
  function Clean {
    if ($gz) { $gz.Close() }
    foreach ($p in ($tmp + '.gz'), $tmp) { if ($tmp -and [IO.File]::Exists($p)) { [IO.File]::Delete($p) } }
  }
  function Fail($t) {
    try { Clean } catch { }
    [Console]::Error.WriteLine('envctl bootstrap: ' + $t + ' (an antivirus program may have blocked it)')
    exit 1
  }
  function Finish {
    if (-not $want) { throw 'no header came' }
    $gz.Close()
    $r = [IO.File]::OpenRead($tmp + '.gz')
    $z = New-Object IO.Compression.GZipStream($r, [IO.Compression.CompressionMode]::Decompress)
    $w = [IO.File]::Create($tmp)
    $b = New-Object byte[] 65536
    try { while (($n = $z.Read($b, 0, $b.Length)) -gt 0) { $w.Write($b, 0, $n) } } finally { $w.Close(); $z.Close(); $r.Close() }
    if ((Sum $tmp) -ne $want) { throw 'the sha256 of what arrived is wrong' }
    if ([IO.File]::Exists($dst)) { [IO.File]::Delete($dst) }
    [IO.File]::Move($tmp, $dst)
    Clean
    Say ('ok ' + $want)
  }
}
process {
  try {
    $line = [string]$input
    if (-not $want) {
      $head = $line.Trim().Split([char[]]' ', 2)
      $want = $head[0].ToLower()
      $dst = [Environment]::ExpandEnvironmentVariables($head[1])
      if ([IO.File]::Exists($dst) -and ((Sum $dst) -eq $want)) { Say ('have ' + $want); exit 0 }
      [void][IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($dst))
      $tmp = $dst + '.' + [Guid]::NewGuid().ToString('N')
      $gz = [IO.File]::Create($tmp + '.gz')
      Say ('need ' + $want)
    } elseif ($line -eq '.') { Finish; exit 0 }
    else { $d = [Convert]::FromBase64String($line); $gz.Write($d, 0, $d.Length) }
  } catch { Fail $_.Exception.Message }
}
end { try { Finish } catch { Fail $_.Exception.Message }; exit 0 }
