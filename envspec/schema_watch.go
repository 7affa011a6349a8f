package envspec

func watchBlock() *block {
	return &block{
		Name: "watch", Static: true,
		Doc: "What `envctl up --watch` does while it runs: files that change on the host go into the running container. There may be several. It does not make the container another one.",
		Foreign: map[string]string{
			"path": "paths", "target": "sync", "include": "paths", "exclude": "ignore", "action": "sync", "sync_to": "sync",
		},
		Absent: map[string]string{"action": "What is done is said by sync, restart and rebuild: leave it out."},
		Attrs: []attribute{
			{Name: "paths", Type: stringsValue, Required: true, Doc: "Files and folders to watch, from the spec's folder."},
			{Name: "ignore", Type: stringsValue, Doc: "What of them to leave alone, as patterns of a `.dockerignore` from the spec's folder. `.git`, what an editor keeps beside a file, and what the `.dockerignore` of the build leaves out are left alone as well."},
			{Name: "sync", Type: stringValue, Doc: "Folder in the container that is kept as the paths are: what is in a folder goes into it, and so does a file, as with `COPY` in a Dockerfile."},
			{Name: "restart", Type: stringsValue, Doc: "Patterns from the spec's folder: a change to such a file restarts the container, after the sync. `[\"**\"]` is every one. What has no wildcard is watched even where it is not in paths."},
			{Name: "rebuild", Type: stringsValue, Doc: "The same, and a change builds the image again and replaces the container, as `envctl up` would."},
		},
	}
}
