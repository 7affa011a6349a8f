Write-Output seeded
