"""Runs commands with pywinrm: reads a JSON object from stdin, writes the results as JSON."""
import json
import sys
import time
import warnings

import winrm

warnings.simplefilter("ignore")
job = json.load(sys.stdin)
options = {
    "basic": dict(transport="basic", server_cert_validation="ignore"),
    "ntlm": dict(transport="ntlm", server_cert_validation="ignore"),
    "sealed": dict(transport="ntlm", message_encryption="always"),
}[job["transport"]]
endpoint = job["http"] if job["transport"] == "sealed" else job["https"]
session = winrm.Session(endpoint, auth=(job["user"], job["password"]), **options)
results = []
for line in job["commands"]:
    begun = time.time()
    r = session.run_cmd(line)
    results.append(
        {
            "code": r.status_code % 2**32,
            "out": r.std_out.decode("utf-8", "replace"),
            "err": r.std_err.decode("utf-8", "replace"),
            "ms": int((time.time() - begun) * 1000),
        }
    )
json.dump(results, sys.stdout)
