package guest

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/envctl/envctl/internal/guestproto"
)

// taskDefinition is a task as Task Scheduler keeps it ([MS-TSCH] 2.5); the order of its parts counts.
type taskDefinition struct {
	XMLName     xml.Name      `xml:"http://schemas.microsoft.com/windows/2004/02/mit/task Task"`
	Version     string        `xml:"version,attr"`
	Description string        `xml:"RegistrationInfo>Description"`
	Boot        *struct{}     `xml:"Triggers>BootTrigger"`
	Logon       *struct{}     `xml:"Triggers>LogonTrigger"`
	Daily       *dailyTrigger `xml:"Triggers>CalendarTrigger"`
	Every       *timeTrigger  `xml:"Triggers>TimeTrigger"`
	Principal   taskPrincipal `xml:"Principals>Principal"`
	Settings    taskSettings  `xml:"Settings"`
	Action      taskAction    `xml:"Actions"`
}

type dailyTrigger struct {
	Start string `xml:"StartBoundary"`
	Days  int    `xml:"ScheduleByDay>DaysInterval"`
}

type timeTrigger struct {
	Interval string `xml:"Repetition>Interval"`
	Start    string `xml:"StartBoundary"`
}

type taskPrincipal struct {
	ID        string `xml:"id,attr"`
	UserID    string `xml:"UserId"`
	LogonType string `xml:"LogonType,omitempty"`
	RunLevel  string `xml:"RunLevel"`
}

type taskSettings struct {
	Instances   string `xml:"MultipleInstancesPolicy"`
	NoBattery   bool   `xml:"DisallowStartIfOnBatteries"`
	StopBattery bool   `xml:"StopIfGoingOnBatteries"`
	WhenMissed  bool   `xml:"StartWhenAvailable"`
	Limit       string `xml:"ExecutionTimeLimit"`
}

type taskAction struct {
	Context string `xml:"Context,attr"`
	Command string `xml:"Exec>Command"`
	Args    string `xml:"Exec>Arguments,omitempty"`
	Dir     string `xml:"Exec>WorkingDirectory,omitempty"`
}

// taskSystem is the SID of SYSTEM.
const taskSystem = "S-1-5-18"

// taskLong is a day in the past, from which a task that repeats does so.
const taskLong = "2020-01-01T"

// taskXML describes a layer's task. There is no password in it: Task Scheduler takes that beside it.
func taskXML(t *guestproto.Task, arguments string) (string, error) {
	d := taskDefinition{
		Version: "1.2", Description: "made by envctl",
		Principal: taskPrincipal{ID: "Author", UserID: taskSystem, RunLevel: "HighestAvailable"},
		Settings:  taskSettings{Instances: "IgnoreNew", WhenMissed: true, Limit: "PT0S"},
		Action:    taskAction{Context: "Author", Command: t.Command, Args: arguments, Dir: t.WorkingDir},
	}
	if t.Account != "" {
		d.Principal.UserID, d.Principal.LogonType, d.Principal.RunLevel = t.Account, "Password", "LeastPrivilege"
	}
	switch {
	case t.On == "boot":
		d.Boot = &struct{}{}
	case t.On == "logon":
		d.Logon = &struct{}{}
	case t.On != "":
		return "", fmt.Errorf("on %q: boot or logon", t.On)
	case t.Daily != "":
		d.Daily = &dailyTrigger{Start: taskLong + t.Daily + ":00", Days: 1}
	case t.Every > 0:
		d.Every = &timeTrigger{Start: taskLong + "00:00:00", Interval: fmt.Sprintf("PT%dM", t.Every)}
	}
	b, err := xml.MarshalIndent(d, "", "  ")
	return string(b), err
}

// taskHasPassword reports whether a task runs with a password that Task Scheduler keeps, and would not give back.
func taskHasPassword(definition string) bool {
	return strings.Contains(definition, "<LogonType>Password</LogonType>") ||
		strings.Contains(definition, "<LogonType>InteractiveTokenOrPassword</LogonType>")
}

// taskParts takes a definition apart: what each element without others in it holds, by its path under the task.
func taskParts(definition string) map[string]string {
	d := xml.NewDecoder(strings.NewReader(definition))
	// Task Scheduler's says that it is UTF-16, which it no longer is.
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	parts := map[string]string{}
	var path []string
	text, innermost := "", false
	for {
		token, err := d.Token()
		if err != nil {
			return parts
		}
		switch t := token.(type) {
		case xml.StartElement:
			path, text, innermost = append(path, t.Name.Local), "", true
		case xml.CharData:
			text += string(t)
		case xml.EndElement:
			if innermost && len(path) > 1 {
				name := strings.Join(path[1:], ".")
				for n, first := 2, name; ; n++ {
					if _, taken := parts[name]; !taken {
						break
					}
					name = fmt.Sprintf("%s[%d]", first, n)
				}
				parts[name] = strings.TrimSpace(text)
			}
			path, innermost = path[:len(path)-1], false
		}
	}
}
