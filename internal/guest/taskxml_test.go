package guest

import (
	"strings"
	"testing"

	"github.com/envctl/envctl/internal/guestproto"
)

func TestTaskXML(t *testing.T) {
	text, err := taskXML(&guestproto.Task{Command: `C:\PAS\a & b.exe`, WorkingDir: `C:\PAS`, Daily: "02:30", Account: "svc"}, `--all "x y"`)
	if err != nil {
		t.Fatal(err)
	}
	const want = `<Task xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task" version="1.2">
  <RegistrationInfo>
    <Description>made by envctl</Description>
  </RegistrationInfo>
  <Triggers>
    <CalendarTrigger>
      <StartBoundary>2020-01-01T02:30:00</StartBoundary>
      <ScheduleByDay>
        <DaysInterval>1</DaysInterval>
      </ScheduleByDay>
    </CalendarTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>svc</UserId>
      <LogonType>Password</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>C:\PAS\a &amp; b.exe</Command>
      <Arguments>--all &#34;x y&#34;</Arguments>
      <WorkingDirectory>C:\PAS</WorkingDirectory>
    </Exec>
  </Actions>
</Task>`
	if text != want {
		t.Errorf("it is\n%s", text)
	}
}

func TestTaskXMLTriggers(t *testing.T) {
	for name, test := range map[string]struct {
		task guestproto.Task
		want string
	}{
		"boot":  {guestproto.Task{On: "boot"}, "<BootTrigger></BootTrigger>"},
		"logon": {guestproto.Task{On: "logon"}, "<LogonTrigger></LogonTrigger>"},
		"every": {guestproto.Task{Every: 15}, "<TimeTrigger> <Repetition> <Interval>PT15M</Interval> </Repetition> <StartBoundary>2020-01-01T00:00:00</StartBoundary> </TimeTrigger>"},
	} {
		text, err := taskXML(&test.task, "")
		if flat := strings.Join(strings.Fields(text), " "); err != nil || !strings.Contains(flat, "<Triggers> "+test.want+" </Triggers>") || !strings.Contains(flat, "<UserId>S-1-5-18</UserId> <RunLevel>") {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
	if text, _ := taskXML(&guestproto.Task{}, ""); strings.Contains(text, "Trigger") {
		t.Errorf("without a time it is\n%s", text)
	}
	if _, err := taskXML(&guestproto.Task{On: "idle"}, ""); err == nil {
		t.Error("it takes any word")
	}
}
