package winrm

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// recording is one exchange with a real machine.
type recording struct {
	Request        string `yaml:"request"`
	Response       string `yaml:"response"`
	TransportError struct {
		Code int `yaml:"code"`
	} `yaml:"transport_error"`
}

func recordings(t *testing.T) map[string][]recording {
	dir := os.Getenv("ENVCTL_WINRM_RECORDINGS")
	if dir == "" {
		dir = "../../../../shared/winrm-recordings"
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.yml"))
	if len(files) == 0 {
		t.Skipf("no recordings of real machines in %s; set ENVCTL_WINRM_RECORDINGS to a folder of them", dir)
	}
	all := map[string][]recording{}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Messages []recording `yaml:"messages"`
		}
		if err := yaml.Unmarshal(data, &doc); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(doc.Messages) == 0 {
			t.Fatalf("%s has no messages", name)
		}
		all[filepath.Base(name)] = doc.Messages
	}
	return all
}

func (r recording) raw() *raw {
	status := r.TransportError.Code
	if status == 0 {
		status = http.StatusOK
	}
	return &raw{status: status, body: []byte(r.Response)}
}

var requestAction = regexp.MustCompile(`<[^>]*:Action[^>]*>([^<]*)<`)

func (r recording) action() string { return lastWord(requestAction.FindStringSubmatch(r.Request)[1]) }

// Every recorded answer is taken for what it is: told by its text, not by our decoder.
func TestRecordedAnswersAreTakenForWhatTheyAre(t *testing.T) {
	for file, messages := range recordings(t) {
		t.Run(file, func(t *testing.T) {
			for i, r := range messages {
				a, err := judge(r.action(), r.raw())
				if code := find(r.Response, `WSManFault[^>]*Code="(\d+)"`); code != "" {
					var f *Fault
					if !errors.As(err, &f) || find(r.Response, `Code="`+code+`"`) == "" && f.Code == 0 {
						t.Errorf("message %d: a fault %s, taken for %v", i, code, err)
					}
					if errors.Is(err, ErrOperationTimeout) != (code == "2150858793") {
						t.Errorf("message %d: fault %s, taken for %v", i, code, err)
					}
					continue
				}
				if err != nil {
					t.Errorf("message %d (%s): %v", i, r.action(), err)
					continue
				}
				if want := requestAction.FindStringSubmatch(r.Response)[1]; a.action != want {
					t.Errorf("message %d: action %q, want %q", i, a.action, want)
				}
				if n := strings.Count(r.Response, "<rsp:Stream "); len(a.chunks) != n {
					t.Errorf("message %d: %d pieces of output, want %d", i, len(a.chunks), n)
				}
				if want := find(r.Response, `<rsp:ShellId>([^<]*)<`); r.action() == "Create" && a.shellID != want {
					t.Errorf("message %d: shell %q, want %q", i, a.shellID, want)
				}
				if want := find(r.Response, `<rsp:CommandId>([^<]*)<`); a.commandID != want {
					t.Errorf("message %d: command %q, want %q", i, a.commandID, want)
				}
				if a.done != strings.Contains(r.Response, "CommandState/Done") || a.done != (a.exitCode != nil) {
					t.Errorf("message %d: done %v", i, a.done)
				}
			}
		})
	}
}

func find(text, pattern string) string {
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	return m[len(m)-1]
}

// The answers of each recording, in their order, are what a session gets from a machine that has
// them; the command it runs ends with the recorded output and exit code.
func TestASessionOverRecordedAnswers(t *testing.T) {
	want := map[string]struct {
		stdout, stderr string
		code           int32
	}{
		"winrs_standard.yml":          {"hi\r\n", "", 0},
		"winrs_stderr_rc.yml":         {"out \r\n", "err \r\n", 1},
		"winrs_send.yml":              {"output 1\noutput 2\n", "", 0},
		"winrs_operation_timeout.yml": {"hi\nhi again\n", "", 0},
	}
	for file, messages := range recordings(t) {
		t.Run(file, func(t *testing.T) {
			queues := map[string][]*raw{}
			for _, r := range messages {
				queues[r.action()] = append(queues[r.action()], r.raw())
			}
			if len(queues["Command"]) != 1 {
				t.Skip("this recording is not of one command in one shell")
			}
			m := newMachine(t, true)
			for action := range queues {
				m.on[action] = func(asked) reply {
					m.mu.Lock()
					defer m.mu.Unlock()
					q := queues[action]
					if len(q) == 0 {
						return reply{status: http.StatusGone}
					}
					queues[action] = q[1:]
					return reply{status: q[0].status, body: string(q[0].body)}
				}
			}
			res, err := m.client(nil).Run(t.Context(), "recorded")
			if err != nil {
				t.Fatal(err)
			}
			w, known := want[file]
			if known && (!bytes.Equal(res.Stdout, []byte(w.stdout)) || res.Stderr != w.stderr || res.ExitCode != w.code) {
				t.Errorf("got %q, %q, %d, want %+v", res.Stdout, res.Stderr, res.ExitCode, w)
			}
			for _, action := range []string{"Create", "Command", "Receive", "Signal", "Delete"} {
				if n := len(queues[action]); n > 0 {
					t.Errorf("%d answers to %s were not asked for", n, action)
				}
			}
		})
	}
}
