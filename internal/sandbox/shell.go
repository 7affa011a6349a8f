package sandbox

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"
)

// shell is one remote shell ([MS-WSMV] 3.1.4.5.2): what its commands share.
type shell struct {
	id      string
	owner   string
	client  string
	inputs  string
	outputs string
	idle    time.Duration
	dir     string
	env     []EnvVar
	page    int // code page
	created time.Time

	mu       sync.Mutex
	commands map[string]*command
	retired  []*command // forgotten by the client; what they left running lives as long as the shell
	started  int        // commands ever started: their operations come back only with the shell
	active   int        // requests in progress
	timer    *time.Timer
	dead     bool
}

// idleDefault is the idle timeout of recent Windows.
const idleDefault = 2 * time.Hour

// newShell reads the body of a Create.
func newShell(r *request, limits Limits) (*shell, error) {
	body := r.body.child(nsShell, "Shell")
	if body == nil {
		return nil, faultSchema("Create has no Shell element.")
	}
	s := &shell{
		id: newID(), owner: r.user, client: r.client,
		inputs:   body.child(nsShell, "InputStreams").value(),
		outputs:  body.child(nsShell, "OutputStreams").value(),
		dir:      body.child(nsShell, "WorkingDirectory").value(),
		idle:     limits.IdleTimeout,
		created:  time.Now(),
		commands: map[string]*command{},
	}
	if v := body.child(nsShell, "IdleTimeOut").value(); v != "" {
		d, err := parseDuration(v)
		if err != nil {
			return nil, faultSchema("IdleTimeOut: " + err.Error())
		}
		if d > 0 {
			s.idle = d
		}
	}
	if v := r.options["WINRS_CODEPAGE"]; v != "" {
		page, err := strconv.Atoi(v)
		if err != nil || page < 0 || page > 65535 {
			return nil, faultSchema("WINRS_CODEPAGE is no code page.")
		}
		s.page = page
	}
	if s.outputs == "" {
		s.outputs = "stdout stderr"
	}
	if env := body.child(nsShell, "Environment"); env != nil {
		for _, v := range env.children {
			if v.name.Local == "Variable" {
				s.env = append(s.env, EnvVar{Name: v.attr("Name"), Value: string(v.text)})
			}
		}
	}
	return s, nil
}

// created answers a Create as a real server does, the selectors first.
func (s *shell) createdAnswer(r *request) []byte {
	var b strings.Builder
	b.WriteString(`<x:ResourceCreated><a:Address>` + escape(r.to) + `</a:Address><a:ReferenceParameters><w:ResourceURI>` + resourceCmd +
		`</w:ResourceURI><w:SelectorSet><w:Selector Name="ShellId">` + s.id + `</w:Selector></w:SelectorSet></a:ReferenceParameters></x:ResourceCreated>`)
	b.WriteString(`<rsp:Shell xmlns:rsp="` + nsShell + `"><rsp:ShellId>` + s.id + `</rsp:ShellId><rsp:ResourceUri>` + resourceCmd + `</rsp:ResourceUri>`)
	b.WriteString(`<rsp:Owner>` + escape(s.owner) + `</rsp:Owner><rsp:ClientIP>` + escape(s.client) + `</rsp:ClientIP>`)
	b.WriteString(`<rsp:IdleTimeOut>` + formatDuration(s.idle) + `</rsp:IdleTimeOut>`)
	if s.dir != "" {
		b.WriteString(`<rsp:WorkingDirectory>` + escape(s.dir) + `</rsp:WorkingDirectory>`)
	}
	b.WriteString(`<rsp:InputStreams>` + escape(s.inputs) + `</rsp:InputStreams><rsp:OutputStreams>` + escape(s.outputs) + `</rsp:OutputStreams>`)
	b.WriteString(`<rsp:ShellRunTime>P0DT0H0M0S</rsp:ShellRunTime><rsp:ShellInactivity>P0DT0H0M0S</rsp:ShellInactivity></rsp:Shell>`)
	return answer(r, actionCreate+"Response", prefixTransfer, b.String())
}

// enter begins a request in the shell, which keeps it from expiring. It reports false where
// the shell is gone.
func (s *shell) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return false
	}
	s.active++
	if s.timer != nil {
		s.timer.Stop()
	}
	return true
}

// leave ends a request; after the last, expire is called once the idle timeout has passed.
func (s *shell) leave(expire func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active--
	if s.dead || s.active > 0 {
		return
	}
	s.timer = time.AfterFunc(s.idle, func() {
		s.mu.Lock()
		idle := !s.dead && s.active == 0
		s.mu.Unlock()
		if idle {
			expire()
		}
	})
}

// start runs a Command request in the shell.
func (s *shell) start(ctx context.Context, r *request, starter Starter, limits Limits) (*command, error) {
	body := r.body.child(nsShell, "CommandLine")
	if body == nil {
		return nil, faultSchema("Command has no CommandLine element.")
	}
	s.mu.Lock()
	running := len(s.commands)
	s.mu.Unlock()
	if running >= limits.CommandsPerShell {
		return nil, faultTooManyOps(limits.CommandsPerShell)
	}
	spec := CommandSpec{
		Line:  commandLine(body),
		Shell: !r.option("WINRS_SKIP_CMD_SHELL"),
		Dir:   s.dir,
		Env:   s.env,

		CodePage: s.page,
	}
	proc, err := starter.Start(ctx, spec)
	if err != nil {
		f := faultInternal(err)
		var refused *StartError
		if errors.As(err, &refused) {
			f.code = 0x80070000 | refused.Code&0xffff // HRESULT_FROM_WIN32
		}
		return nil, f
	}
	c := newCommand(proc, strings.Fields(s.outputs))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		c.end()
		return nil, faultAborted()
	}
	s.commands[c.id] = c
	s.started++
	return c, nil
}

// commandLine joins the command and its arguments with spaces, as WinRM does; nothing is quoted.
func commandLine(body *element) string {
	var words []string
	for _, e := range body.children {
		if e.name.Space == nsShell && (e.name.Local == "Command" || e.name.Local == "Arguments") {
			if v := e.value(); v != "" {
				words = append(words, v)
			}
		}
	}
	return strings.Join(words, " ")
}

func (s *shell) command(id string) (*command, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.commands[strings.ToUpper(id)]; c != nil {
		return c, nil
	}
	return nil, faultNotFound("CommandId", id)
}

// forget drops a command that its client is done with. One that had not finished is ended with
// its whole tree; what a finished one left running stays until the shell goes, as on Windows.
func (s *shell) forget(c *command) {
	s.mu.Lock()
	delete(s.commands, c.id)
	keep := c.finished() && !s.dead
	if keep {
		s.retired = append(s.retired, c)
	}
	s.mu.Unlock()
	if !keep {
		c.end()
	}
}

// close ends every command of the shell, with everything that they started.
func (s *shell) close() {
	s.mu.Lock()
	s.dead = true
	if s.timer != nil {
		s.timer.Stop()
	}
	commands, retired := s.commands, s.retired
	s.commands, s.retired = map[string]*command{}, nil
	s.mu.Unlock()
	for _, c := range commands {
		c.end()
	}
	for _, c := range retired {
		c.end()
	}
}

func (s *shell) operations() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started
}
