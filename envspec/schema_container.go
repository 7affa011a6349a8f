package envspec

const (
	argvHint  = "A command line can be read by every process on the machine. Hand the secret over in env, or in a file block and name the file here."
	labelHint = "Labels are shown by every tool that lists containers. Hand the secret over in env or in a file block."
	layerHint = "This value is shown in plans and by the container engine. Hand the secret over in env or in a file block."
)

const logOption = "An option of the driver stands in options = { \"max-size\" = \"10m\" }."

func portBlock() *block {
	return &block{
		Name: "port", Labels: []string{"name"}, Static: true,
		Foreign: map[string]string{
			"container": "guest", "container_port": "guest", "target": "guest", "internal": "guest", "port": "guest", "number": "guest",
			"external": "host", "published": "host", "host_port": "host", "type": "protocol",
		},
		Doc: "A port that others reach as `KIND.NAME.port.PORT`: `.address` (host:port), `.host`, `.port`, with a scheme `.url`, and `.from_host.…` as the host sees it.",
		Attrs: []attribute{
			{Name: "guest", Type: intValue, Required: true, Doc: "The number that the process itself listens on."},
			{Name: "host", Type: intValue, Doc: "Pins the number on the host; chosen and kept where left out."},
			{Name: "protocol", Type: stringValue, Enum: []string{"tcp", "udp"}, Doc: "`\"tcp\"` where left out."},
			{Name: "scheme", Type: stringValue, Doc: "Adds `.url`, such as `\"http\"`."},
		},
	}
}

func readyBlock() *block {
	port := attribute{Name: "port", Type: stringValue, Required: true, Doc: "The name of one of the resource's own ports."}
	return &block{
		Name: "ready", Max: 1,
		Doc:       "When the resource counts as ready; those that refer to it wait for that. Without the block, as soon as it runs. Checked at its own side.",
		AtMostOne: [][]string{{"exec", "http", "tcp", "log"}},
		Foreign:   map[string]string{"test": "exec", "command": "exec", "cmd": "exec", "start_interval": "interval", "logs": "log", "attempts": "retries"},
		Attrs: []attribute{
			{Name: "exec", Type: stringsValue, Doc: "Ready when this command, run inside, ends with 0.", Instead: argvHint},
			{Name: "interval", Type: durationValue, Doc: "Between two tries; grows from milliseconds to 2s where left out."},
			{Name: "timeout", Type: durationValue, Doc: "Of one try; 5s where left out."},
			{Name: "retries", Type: intValue, Doc: "How many tries may fail; where left out, start_period decides."},
			{Name: "start_period", Type: durationValue, Doc: "How long it may take in all; 5m where left out."},
		},
		Blocks: []*block{
			{Name: "http", Max: 1, Doc: "Ready when a GET is answered.", Foreign: map[string]string{"url": "path", "status_code": "status"}, Attrs: []attribute{
				port,
				{Name: "path", Type: stringValue, Doc: "`\"/\"` where left out."},
				{Name: "status", Type: intValue, Doc: "The status it must have; any from 200 to 399 where left out."},
			}},
			{Name: "tcp", Max: 1, Doc: "Ready when the port takes a connection.", Attrs: []attribute{port}},
			{Name: "log", Max: 1, Doc: "Ready when a line of the log matches. Containers only.", Attrs: []attribute{
				{Name: "pattern", Type: stringValue, Required: true, Doc: "A regular expression."},
			}},
		},
	}
}

func dependsOn() attribute {
	return attribute{Name: "depends_on", Type: resourceRefs, Literal: true, Doc: "Resources that must be ready before this one starts, beside those it refers to."}
}

func containerBlock() *block {
	return &block{
		Name: "container", Labels: []string{"name"},
		Doc:        "A Linux container.",
		ExactlyOne: [][]string{{"image", "build"}},
		AtMostOne:  [][]string{{"build", "pull"}},
		Foreign: map[string]string{
			"environment": "env", "ports": "port", "expose": "port", "volumes": "volume", "mounts": "volume", "healthcheck": "ready",
			"health_check": "ready", "count": "for_each", "mem_limit": "memory", "workdir": "working_dir", "working_directory": "working_dir",
			"cmd": "command", "args": "command", "stop_grace_period": "stop_grace", "stop_timeout": "stop_grace", "capabilities": "cap_add",
			"configs": "file", "secrets": "secret", "needs": "depends_on", "pull_policy": "pull", "readonly": "read_only", "log_driver": "logging",
			"device": "devices", "ulimit": "ulimits", "gpu": "gpus", "groups": "group_add", "domainname": "hostname", "develop": "watch", "live_update": "watch",
			"scale": "for_each", "replicas": "for_each", "config": "file", "mount": "volume", "env_vars": "env", "readiness": "ready", "readiness_probe": "ready",
			"restart_policy": "restart", "dockerfile": "build", "context": "build", "extra_host": "extra_hosts", "add_host": "extra_hosts",
		},
		Absent: map[string]string{
			"networks": noNetworks, "network": noNetworks, "network_mode": noNetworks, "links": "A reference to another container's port orders and connects the two: leave it out.",
			"container_name": "The name is the label of the block: leave it out. Others reach the container by that name.", "name": "The name is the label of the block: leave it out.",
			"env_file":   "Variables stand in env. One with a value of your own is env(\"NAME\", \"…\"), or a variable block with ENVCTL_VAR_NAME or a file *.auto.vars.hcl.",
			"deploy":     "Limits are memory = … and cpus = … of the container, and several of one kind for_each = ….",
			"resources":  "Limits are memory = … and cpus = … of the container.",
			"extends":    "What several containers share is a local, or for_each over a map makes all of them.",
			"tty":        "A container of an environment has no terminal: \"envctl shell\" opens one in it.",
			"stdin_open": "A container of an environment has no terminal: \"envctl shell\" opens one in it.",
			"lifecycle":  "What may change is in the spec, and what was changed by hand is mended by the next up: leave the block out.", "provisioner": "A job block runs something to its end: job \"NAME\" { … }.",
		},
		Attrs: []attribute{
			{Name: "image", Type: stringValue, Static: true, Doc: "The image to run."},
			{Name: "command", Type: stringsValue, Doc: "Arguments in place of the image's own command.", Instead: argvHint},
			{Name: "entrypoint", Type: stringsValue, Doc: "In place of the image's own entry point.", Instead: argvHint},
			{Name: "env", Type: textsValue, Doc: "Environment variables. Numbers and booleans become strings; `null` leaves one out."},
			{Name: "user", Type: stringValue, Doc: "User, and group after a colon, that the process runs as.", Instead: layerHint},
			{Name: "working_dir", Type: stringValue, Doc: "Folder that the process starts in.", Instead: layerHint},
			{Name: "platform", Type: stringValue, Static: true, Doc: "Such as `\"linux/amd64\"`; the engine's own where left out."},
			{Name: "restart", Type: stringValue, Enum: []string{"no", "on-failure", "unless-stopped", "always"}, Doc: "`\"no\"` where left out."},
			{Name: "memory", Type: sizeValue, Doc: "Limit, such as `\"512MB\"`."},
			{Name: "cpus", Type: numberValue, Doc: "Limit, such as `1.5`."},
			{Name: "tmpfs", Type: stringsValue, Doc: "Paths that are kept in memory.", Instead: layerHint},
			{Name: "cap_add", Type: stringsValue, Doc: "Linux capabilities to add.", Instead: layerHint},
			{Name: "cap_drop", Type: stringsValue, Doc: "Linux capabilities to take away; `\"ALL\"` for all.", Instead: layerHint},
			{Name: "privileged", Type: boolValue, Doc: "Lets the container do to the engine's host whatever root may."},
			{Name: "security_opt", Type: stringsValue, Doc: "Such as `\"no-new-privileges\"` or `\"seccomp=unconfined\"`.", Instead: layerHint},
			{Name: "read_only", Type: boolValue, Doc: "Makes the container's own file system read-only; volumes, tmpfs and the folders of file blocks stay writable."},
			{Name: "group_add", Type: stringsValue, Doc: "Further groups of the process, by name or number.", Instead: layerHint},
			{Name: "ulimits", Type: mapValue, Doc: "Limits of the process by name: one number, or `\"SOFT:HARD\"`, such as `{ nofile = \"1024:65536\" }`; -1 is none.", Instead: layerHint},
			{Name: "sysctls", Type: mapValue, Doc: "Kernel parameters of the container's own namespaces, such as `{ \"net.core.somaxconn\" = 1024 }`.", Instead: layerHint},
			{Name: "shm_size", Type: sizeValue, Doc: "Size of `/dev/shm`; 64MB where left out."},
			{Name: "devices", Type: stringsValue, Doc: "Devices of the engine's host, each `\"HOST\"`, `\"HOST:CONTAINER\"` or `\"HOST:CONTAINER:rwm\"`.", Instead: layerHint},
			{Name: "gpus", Type: stringValue, Doc: "`\"all\"`, or how many GPUs the container may use."},
			{Name: "hostname", Type: stringValue, Doc: "What the container calls itself; its name where left out. Others reach it by its name either way.", Instead: layerHint},
			{Name: "dns", Type: stringsValue, Doc: "Addresses of name servers for what is not of the environment.", Instead: layerHint},
			{Name: "pull", Type: stringValue, Static: true, Enum: []string{"missing", "always", "never"}, Doc: "When the registry is asked for the image: where the engine lacks it (`\"missing\"`, as where left out), each time the container is made anew, or never."},
			{Name: "extra_hosts", Type: mapValue, Doc: "Host names and the addresses they stand for.", Instead: layerHint},
			{Name: "stop_signal", Type: stringValue, Doc: "Signal that ends the process; the image's own where left out.", Instead: layerHint},
			{Name: "stop_grace", Type: durationValue, Doc: "How long it may take to end before it is killed; 10s where left out."},
			{Name: "init", Type: boolValue, Doc: "Runs a small init as process 1, which reaps and forwards signals."},
			{Name: "labels", Type: mapValue, Doc: "Labels on the container.", Instead: labelHint},
			dependsOn(),
			profiles(),
			forEach(),
		},
		Blocks: []*block{
			buildBlock(),
			portBlock(),
			{
				Name: "volume", Labels: []string{"name"}, Doc: "A named volume of the container's own, or what `source` says.",
				Foreign: map[string]string{"path": "target", "mount_path": "target", "destination": "target", "host_path": "source", "bind": "source", "from": "source", "ro": "read_only", "readonly": "read_only"},
				Absent:  map[string]string{"type": "It is a folder of the host where source is a path, and else a named volume: leave it out."},
				Attrs: []attribute{
					{Name: "target", Type: stringValue, Required: true, Doc: "Absolute path in the container.", Instead: layerHint},
					{Name: "source", Type: mountSource, Static: true, Doc: "Folder or file of the host, from the spec's folder; or `volume.NAME`, a volume that several containers mount."},
					{Name: "read_only", Type: boolValue, Doc: "Mounts it read-only."},
				},
			},
			{
				Name: "file", Labels: []string{"path"}, Doc: "A file that is copied in before the container starts.",
				Foreign:    map[string]string{"text": "content", "contents": "content", "data": "content", "permissions": "mode", "owner": "uid", "user": "uid", "group": "gid"},
				Absent:     map[string]string{"path": "The path is the label: file \"/etc/app.conf\" { … }.", "target": "The path is the label: file \"/etc/app.conf\" { … }."},
				ExactlyOne: [][]string{{"content", "source"}},
				Attrs: []attribute{
					{Name: "content", Type: textValue, Doc: "What is in it."},
					{Name: "source", Type: stringValue, Static: true, Doc: "A file of the host, from the spec's folder."},
					{Name: "mode", Type: stringValue, Doc: "Permissions in octal; `\"0644\"` where left out, `\"0400\"` where the content is secret.", Instead: layerHint},
					{Name: "uid", Type: intValue, Doc: "Owner; 0 where left out."},
					{Name: "gid", Type: intValue, Doc: "Group; 0 where left out."},
				},
			},
			secretBlock(),
			{
				Name: "logging", Max: 1, Absent: map[string]string{"max-size": logOption, "max-file": logOption, "max_size": logOption, "max_file": logOption},
				Doc: "Where the engine puts what the container prints. `envctl logs` and `ready { log { } }` need a driver that can be read back, as the engine's own.",
				Attrs: []attribute{
					{Name: "driver", Type: stringValue, Doc: "Such as `\"json-file\"`, `\"local\"` or `\"none\"`; the engine's own where left out."},
					{Name: "options", Type: mapValue, Doc: "The driver's own, such as `{ \"max-size\" = \"10m\" }`.", Instead: layerHint},
				},
			},
			readyBlock(),
			watchBlock(),
		},
	}
}
