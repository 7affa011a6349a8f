package envspec

const winArgvHint = "A command line can be read by every process on the machine. Hand the secret over in a registry, vault or file layer, or in the env of a script or app."

const winHint = "This value is shown in plans. Hand the secret over in a registry, env, vault, odbc or file layer."

const winWhere = "The machine's address stands in source \"host\" { address = \"…\" }."

const winLogin = "The login is a credential block, named in winrm { credential = credential.NAME }."

func sourceAttrs() []attribute {
	return []attribute{
		{Name: "source", Type: stringValue, Required: true, Static: true, Doc: "The file on the host, from the spec's folder, or an `https://` URL to fetch it from."},
		{Name: "sha256", Type: stringValue, Static: true, Doc: "What the file's sha256 must be, in hex. A URL has to have it, here or in the lock."},
	}
}

func timeoutAttr(otherwise string) attribute {
	return attribute{Name: "timeout", Type: durationValue, Doc: "How long it may take; " + otherwise + " where left out."}
}

func windowsBlock() *block {
	return &block{
		Name: "windows", Labels: []string{"name"},
		Foreign: map[string]string{
			"address": "source", "host": "source", "ip": "source", "msi": "package", "exe": "package", "install": "package", "installer": "package", "program": "package",
			"zip": "archive", "unzip": "archive", "environment": "env", "env_var": "env", "powershell": "script", "run": "script", "command": "script", "cmd": "script",
			"process": "app", "dsn": "odbc", "cert": "certificate", "account": "user", "local_user": "user", "restart": "reboot", "scheduled_task": "task", "schedule": "task",
			"reg": "registry", "registry_key": "registry", "regkey": "registry", "firewall_rule": "firewall", "windows_feature": "feature", "role": "feature", "ports": "port",
			"healthcheck": "ready", "count": "for_each", "credentials": "winrm", "connection": "winrm", "windows_service": "service", "copy": "file", "credential_manager": "vault",
		},
		Absent: map[string]string{
			"address": winWhere, "host": winWhere, "ip": winWhere,
			"username": winLogin, "password": winLogin, "credential": winLogin, "user_name": winLogin,
			"ssh": "This version of envctl reaches machines by WinRM: winrm { credential = credential.NAME }.",
		},
		Doc: "A Windows machine and what is on it: a stack of layers, applied in the order written. Where one changes, those above it are undone and applied again.",
		Attrs: []attribute{
			dependsOn(),
			profiles(),
			forEach(),
		},
		Blocks: append([]*block{
			{
				Name: "source", Labels: []string{"kind"}, LabelEnum: []string{"host", "sandbox"}, Max: 1, Required: true, Static: true,
				Doc: "Where the machine comes from: `source \"host\"` is one that exists, `source \"sandbox\"` a stand-in over Wine that envctl makes.",
				Attrs: []attribute{
					{Name: "address", Type: stringValue, Doc: "Name or IP address of the machine; for `host`."},
				},
			},
			{
				Name: "winrm", Max: 1, Doc: "How the machine is reached.",
				Foreign: map[string]string{"username": "credential", "user": "credential", "password": "credential", "ssl": "https", "transport": "auth", "cert": "fingerprint", "ca": "ca_file"},
				Absent:  map[string]string{"address": "The machine's address is in source \"host\" { address = \"…\" }.", "host": "The machine's address is in source \"host\" { address = \"…\" }."},
				Attrs: []attribute{
					{Name: "credential", Type: credentialRef, Required: true, Doc: "The administrator to log in as."},
					{Name: "https", Type: boolValue, Static: true, Doc: "`true` where left out."},
					{Name: "port", Type: intValue, Static: true, Doc: "5986, or 5985 without HTTPS, where left out."},
					{Name: "auth", Type: stringValue, Static: true, Enum: []string{"ntlm", "basic"}, Doc: "`\"ntlm\"` where left out."},
					{Name: "insecure", Type: boolValue, Static: true, Doc: "Allows Basic authentication over plain HTTP, where everyone on the way can read the password."},
					{Name: "fingerprint", Type: stringValue, Static: true, Doc: "The sha256 of the machine's certificate, in hex."},
					{Name: "ca_file", Type: stringValue, Static: true, Doc: "Certificates to trust, in PEM, from the spec's folder."},
				},
			},
			portBlock(),
			readyBlock(),
		}, layerBlocks()...),
	}
}

const archiveTarget = "The folder is the label: archive \"C:\\\\PAS\" { … }."

const scriptFile = "A script in a file is read into run: run = file(\"seed.ps1\")."

const featureOn = "The block turns the feature on: leave it out. Without the block it is left as it was."

// layerBlocks are the kinds of layer.
func layerBlocks() []*block {
	return []*block{
		{
			Name: "package", Labels: []string{"name"}, Doc: "Installs an MSI, or an EXE installer.",
			Foreign: map[string]string{"path": "source", "url": "source", "file": "source", "arguments": "args", "checksum": "sha256", "hash": "sha256"},
			Attrs: append(sourceAttrs(),
				attribute{Name: "args", Type: stringsValue, Doc: "Arguments after the installer's own silent ones.", Instead: winArgvHint},
				attribute{Name: "properties", Type: mapValue, Doc: "MSI public properties.", Instead: "msiexec takes properties on its command line, which every process can read. Hand the secret over in a registry, vault or file layer."},
				attribute{Name: "uninstall", Type: stringsValue, Doc: "The command that removes what an EXE installed; an MSI needs none.", Instead: winArgvHint},
				timeoutAttr("30m")),
		},
		{
			Name: "file", Labels: []string{"path"}, Doc: "Puts a file there.",
			ExactlyOne: [][]string{{"content", "source"}},
			Attrs: []attribute{
				{Name: "content", Type: textValue, Doc: "What is in it."},
				{Name: "source", Type: stringValue, Static: true, Doc: "A file of the host, from the spec's folder, or an `https://` URL to fetch it from."},
				{Name: "sha256", Type: stringValue, Static: true, Doc: "What the source's sha256 must be, in hex. A URL has to have it, here or in the lock."},
				{Name: "private", Type: boolValue, Doc: "Lets only administrators read it; secret content always is private."},
			},
		},
		{
			Name: "archive", Labels: []string{"folder"}, Foreign: map[string]string{"path": "source", "url": "source", "file": "source", "checksum": "sha256"},
			Absent: map[string]string{"target": archiveTarget, "destination": archiveTarget},
			Doc:    "Unpacks a zip there.",
			Attrs:  append(sourceAttrs(), attribute{Name: "strip", Type: intValue, Doc: "How many leading folders to take off each name."}),
		},
		{
			Name: "registry", Labels: []string{"key"}, Foreign: map[string]string{"value": "values", "data": "values", "type": "values"},
			Absent: map[string]string{"key": "The key is the label: registry \"HKLM\\\\SOFTWARE\\\\PAS\" { … }.", "path": "The key is the label: registry \"HKLM\\\\SOFTWARE\\\\PAS\" { … }."},
			Doc:    "Sets values under a registry key, its backslashes doubled: `\"HKLM\\\\SOFTWARE\\\\PAS\"`.",
			Attrs: []attribute{
				{Name: "values", Type: registryValues, Required: true, Doc: "A string is a REG_SZ, a whole number a REG_DWORD (REG_QWORD where it is larger), a boolean a REG_DWORD, a list a REG_MULTI_SZ; `{ type = \"expand_sz\", value = … }` says it outright (sz, expand_sz, multi_sz, dword, qword, binary in hex). The name `\"\"` is the key's default value."},
				{Name: "view", Type: stringValue, Enum: []string{"64", "32"}, Doc: "`\"64\"` where left out."},
			},
		},
		{
			Name: "service", Labels: []string{"name"}, Doc: "Sets up a Windows service; without `command`, one that a layer below brought.",
			Foreign: map[string]string{
				"start": "startup", "start_type": "startup", "startup_type": "startup", "start_mode": "startup", "status": "state", "ensure": "state",
				"path": "command", "binary": "command", "bin_path": "command", "binary_path": "command", "account": "credential", "user": "credential", "username": "credential", "description": "display_name",
			},
			Attrs: []attribute{
				{Name: "command", Type: stringValue, Doc: "The command line that it runs.", Instead: winArgvHint},
				{Name: "display_name", Type: stringValue, Doc: "What the service manager calls it.", Instead: winHint},
				{Name: "startup", Type: stringValue, Enum: []string{"auto", "delayed", "manual", "disabled"}, Doc: "When it starts; as it is where left out."},
				{Name: "state", Type: stringValue, Enum: []string{"running", "stopped"}, Doc: "What it should be doing; as it is where left out."},
				{Name: "env", Type: textsValue, Doc: "Environment variables of the service."},
				{Name: "credential", Type: credentialRef, Doc: "The account that it runs as; LocalSystem where left out."},
				timeoutAttr("1m"),
			},
		},
		{
			Name: "env", Labels: []string{"name"}, Doc: "Sets a machine-wide environment variable.",
			Attrs: []attribute{{Name: "value", Type: textValue, Required: true, Doc: "Its value."}},
		},
		{
			Name: "firewall", Labels: []string{"name"}, Doc: "Opens a port inwards in the Windows firewall.",
			Attrs: []attribute{
				{Name: "port", Type: anyValue, Required: true, Static: true, Doc: "A number, or the name of one of the machine's ports."},
				{Name: "protocol", Type: stringValue, Enum: []string{"tcp", "udp"}, Doc: "`\"tcp\"` where left out."},
			},
		},
		{
			Name: "user", Labels: []string{"name"}, Foreign: map[string]string{"group": "groups", "member_of": "groups"},
			Doc:        "Makes a local account.",
			ExactlyOne: [][]string{{"credential", "password"}},
			Attrs: []attribute{
				{Name: "credential", Type: credentialRef, Doc: "Its name and password."},
				{Name: "password", Type: textValue, Doc: "Its password; the name is the label."},
				{Name: "groups", Type: stringsValue, Doc: "Local groups that it belongs to.", Instead: winHint},
			},
		},
		{
			Name: "vault", Labels: []string{"target"}, Doc: "Puts a credential into Credential Manager.",
			ExactlyOne: [][]string{{"credential", "password"}},
			Attrs: []attribute{
				{Name: "credential", Type: credentialRef, Doc: "User name and password."},
				{Name: "username", Type: stringValue, Doc: "The user name.", Instead: winHint},
				{Name: "password", Type: textValue, Doc: "The password."},
			},
		},
		{
			Name: "odbc", Labels: []string{"name"}, Doc: "Makes a system data source.",
			Attrs: []attribute{
				{Name: "driver", Type: stringValue, Required: true, Doc: "The driver's name.", Instead: winHint},
				{Name: "attributes", Type: textsValue, Doc: "What the driver takes: Server, Port, Database, …"},
				{Name: "bits", Type: intValue, Doc: "64 where left out, or 32."},
			},
		},
		{
			Name: "script", Labels: []string{"name"}, Foreign: map[string]string{"source": "run", "file": "run", "path": "run", "content": "run", "inline": "run", "command": "run", "shell": "interpreter", "only_if": "unless", "onlyif": "unless"},
			Absent: map[string]string{"source": scriptFile, "file": scriptFile, "path": scriptFile},
			Doc:    "Runs a script.",
			Attrs: []attribute{
				{Name: "run", Type: textValue, Required: true, Doc: "The script's text; `file(\"seed.ps1\")` reads it from a file."},
				{Name: "interpreter", Type: stringValue, Enum: []string{"powershell", "pwsh", "cmd"}, Doc: "`\"powershell\"` where left out."},
				{Name: "creates", Type: stringValue, Doc: "A path; the script is skipped where it exists.", Instead: winHint},
				{Name: "unless", Type: stringValue, Doc: "A command; the script is skipped where it ends with 0.", Instead: winArgvHint},
				{Name: "undo", Type: textValue, Doc: "A script that takes back what run did."},
				{Name: "env", Type: textsValue, Doc: "Environment variables of the script."},
				timeoutAttr("10m"),
			},
		},
		{
			Name: "app", Labels: []string{"name"}, Doc: "Keeps a program running.",
			Foreign: map[string]string{"path": "command", "run": "command", "arguments": "args", "interactive": "session", "gui": "session"},
			Attrs: []attribute{
				{Name: "command", Type: stringValue, Required: true, Doc: "The program's path.", Instead: winArgvHint},
				{Name: "args", Type: stringsValue, Doc: "Its arguments.", Instead: winArgvHint},
				{Name: "working_dir", Type: stringValue, Doc: "Folder that it starts in.", Instead: winHint},
				{Name: "env", Type: textsValue, Doc: "Environment variables of the program."},
				{Name: "session", Type: stringValue, Enum: []string{"service", "interactive"}, Doc: "`\"service\"` where left out; `\"interactive\"` has a desktop."},
			},
		},
		{
			Name: "reboot", Labels: []string{"name"}, OptionalLabel: true, Doc: "Restarts the machine; the layers above wait for it.",
			Attrs: []attribute{{Name: "when", Type: stringValue, Enum: []string{"pending", "always"}, Doc: "`\"pending\"` where left out: only where Windows asks for it."}},
		},
		{
			Name: "feature", Labels: []string{"name"}, Foreign: map[string]string{"source": "payload"},
			Absent: map[string]string{"state": featureOn, "enabled": featureOn, "ensure": featureOn},
			Doc:    "Turns on an optional feature of Windows, by the name that `dism /online /get-features` lists, and what it needs. One that was on before stays on when the layer goes.",
			Attrs: []attribute{
				{Name: "payload", Type: stringValue, Doc: "A folder on the machine with the feature's files (`sources\\\\sxs` of the installation medium); needed where Windows would fetch them from Windows Update, which WinRM cannot reach.", Instead: winArgvHint},
				timeoutAttr("30m"),
			},
		},
		{
			Name: "certificate", Labels: []string{"name"}, Doc: "Puts certificates into a store of the machine. One that was there before stays when the layer goes.",
			ExactlyOne: [][]string{{"content", "source"}},
			Attrs: []attribute{
				{Name: "store", Type: stringValue, Required: true, Enum: []string{"root", "ca", "my", "trustedpeople", "trustedpublisher"}, Doc: "`\"root\"` has the authorities that the machine trusts, `\"ca\"` those between, `\"my\"` its own certificates."},
				{Name: "content", Type: textValue, Doc: "Certificates in PEM; `file(\"ca.pem\")` reads them from a file."},
				{Name: "source", Type: stringValue, Static: true, Doc: "A file of the host, from the spec's folder, or an `https://` URL to fetch it from: .pem, .crt, .cer or .der, or a .pfx or .p12 with the private key."},
				{Name: "sha256", Type: stringValue, Static: true, Doc: "What the source's sha256 must be, in hex. A URL has to have it, here or in the lock."},
				{Name: "password", Type: textValue, Doc: "What opens a PFX."},
			},
		},
		{
			Name: "task", Labels: []string{"name"}, Foreign: map[string]string{
				"schedule": "every", "interval": "every", "trigger": "on", "at": "daily", "time": "daily", "user": "credential", "account": "credential", "run": "command", "action": "command", "arguments": "args",
			},
			Doc:       "Makes a task in Task Scheduler's root folder. One of its name that was there before comes back when the layer goes. With none of `on`, `daily` and `every` it runs only when it is told to.",
			AtMostOne: [][]string{{"on", "daily", "every"}},
			Attrs: []attribute{
				{Name: "command", Type: stringValue, Required: true, Doc: "The program's path.", Instead: winArgvHint},
				{Name: "args", Type: stringsValue, Doc: "Its arguments.", Instead: winArgvHint},
				{Name: "working_dir", Type: stringValue, Doc: "Folder that it starts in.", Instead: winHint},
				{Name: "on", Type: stringValue, Enum: []string{"boot", "logon"}, Doc: "Runs it when Windows starts, or when anyone logs on."},
				{Name: "daily", Type: stringValue, Doc: "Runs it each day at this time of the machine's clock: `\"02:30\"`.", Instead: winHint},
				{Name: "every", Type: durationValue, Doc: "Runs it again and again, at whole minutes: `\"15m\"`."},
				{Name: "run_now", Type: boolValue, Doc: "Runs it once as soon as it is set up; the layer does not wait for its end."},
				{Name: "credential", Type: credentialRef, Doc: "The account that it runs as; SYSTEM where left out."},
			},
		},
	}
}
