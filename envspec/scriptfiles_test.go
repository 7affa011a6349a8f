package envspec

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestScriptFiles: what a script is read from is known for the lock, however the text came there, and a secret file is not.
func TestScriptFiles(t *testing.T) {
	dir := write(t, map[string]string{
		"env.envctl.hcl": `
environment "scripts" {}
locals { seed = { b = file("b.ps1") } }
credential "db" {
  username = "sa"
  generate {}
}
template "t" {
  source = "./t"
  inputs {
    script = local.seed.b
    key    = file("key.txt")
  }
}
windows "pas" {
  source "sandbox" {}
  script "plain" {
    run  = "${file("b.ps1")}\n${local.seed.b}"
    undo = templatefile("a.ps1.tmpl", { password = credential.db.password })
  }
  script "secret" { run = sensitive(file("key.txt")) }
  script "mixed" { run = "${sensitive(file("key.txt"))} ${file("b.ps1")}" }
  script "text" { run = "hostname" }
  dynamic "script" {
    for_each = { one = "b.ps1" }
    labels   = [script.key]
    content { run = base64decode(filebase64(script.value)) }
  }
  env "NOTES" { value = file("notes.txt") }
}`,
		"t/t.envctl.hcl": `
variable "script" {}
variable "key" { sensitive = true }
windows "inner" {
  source "sandbox" {}
  script "given" {
    run = file("own.ps1")
    undo = "${var.script} ${var.key}"
  }
}`,
		"b.ps1": "b", "a.ps1.tmpl": "a ${password}", "key.txt": "hunter2", "notes.txt": "n", "t/own.ps1": "own",
	})
	got := map[string]string{}
	for _, m := range evaluate(t, loadDir(t, dir)).Machines {
		for _, l := range m.Layers {
			if l.Script == nil {
				continue
			}
			var files []string
			for _, f := range l.Script.Files {
				path, err := filepath.Rel(dir, f.Path)
				if err != nil {
					t.Fatal(err)
				}
				files = append(files, filepath.ToSlash(path)+" "+f.SHA256[:8])
			}
			got[l.Name] = strings.Join(files, ", ")
		}
	}
	a, b, own := "a.ps1.tmpl "+start("a ${password}"), "b.ps1 "+start("b"), "t/own.ps1 "+start("own")
	want := map[string]string{"plain": a + ", " + b, "secret": "", "mixed": b, "text": "", "one": b, "given": b + ", " + own}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// start is how a text's sha256 begins.
func start(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])[:8]
}

// TestFileTextDecides: a file's text may stand wherever other text may, also where a secret may not.
func TestFileTextDecides(t *testing.T) {
	env := evaluate(t, loadDir(t, write(t, map[string]string{
		"env.envctl.hcl": `
environment "f" {}
locals {
  by  = { web = "one" }
  obj = { (file("name.txt")) = "two" }
}
variable "v" {
  default = "web"
  validation {
    condition     = var.v == file("name.txt")
    error_message = "Not ${file("name.txt")}."
  }
}
container "web" {
  for_each = toset([file("name.txt")])
  image    = file("name.txt") == "web" ? "debian:trixie-slim" : "nginx"
  env = {
    BY                  = local.by[file("name.txt")]
    (file("name.txt"))  = local.obj.web
    JOINED              = join(",", [for k, v in { (file("name.txt")) = 1 } : k if file("name.txt") == "web"])
    JSON                = jsonencode(jsondecode(file("list.json")))
  }
  dynamic "port" {
    for_each = jsondecode(file("list.json"))
    labels   = ["p${port.value}"]
    content { guest = port.value }
  }
}
output "name" { value = file("name.txt") }
`, "name.txt": "web", "list.json": "[80, 81]",
	})))
	c := env.Containers[0]
	got := map[string]string{"image": c.Image, "key": c.Addr.Key}
	for name, v := range c.Env {
		got[name] = v.Reveal()
		if v.Sensitive {
			t.Errorf("%s became a secret", name)
		}
	}
	want := map[string]string{"image": "debian:trixie-slim", "key": "web", "BY": "one", "web": "two", "JOINED": "web", "JSON": "[80,81]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
