package guest

import (
	"os"
	"slices"
	"strings"
	"unicode/utf16"

	"golang.org/x/sys/windows/registry"
)

// machineEnvironment is where Windows keeps the variables that every process starts with.
const machineEnvironment = `SYSTEM\CurrentControlSet\Control\Session Manager\Environment`

// currentEnvironment is what a process that is started now should see: ours, brought up to date
// with the registry (an installer that ran since has changed PATH there), and extra on top.
func currentEnvironment(extra map[string]string) map[string]string {
	env := map[string]string{}
	names := map[string]string{} // by upper case, as Windows compares them
	set := func(name, value string) {
		if old, ok := names[strings.ToUpper(name)]; ok {
			delete(env, old)
		}
		names[strings.ToUpper(name)] = name
		env[name] = value
	}
	for _, kv := range os.Environ() {
		if i := strings.Index(kv, "="); i > 0 {
			set(kv[:i], kv[i+1:])
		}
	}
	machine := registryVariables(registry.LOCAL_MACHINE, machineEnvironment)
	user := registryVariables(registry.CURRENT_USER, "Environment")
	path := []string{}
	for _, layer := range []map[string]string{machine, user} {
		for name, value := range layer {
			switch strings.ToUpper(name) {
			case "PATH":
				path = append(path, value) // the machine's, then the user's
			case "USERNAME", "PROCESSOR_ARCHITECTURE":
				// The registry's are the system's own; the process's are right.
			default:
				set(name, value)
			}
		}
	}
	if len(path) > 0 {
		set("Path", strings.Join(path, ";"))
	}
	for name, value := range extra {
		set(name, value)
	}
	return env
}

func registryVariables(root registry.Key, path string) map[string]string {
	key, err := registry.OpenKey(root, path, registry.QUERY_VALUE)
	if err != nil {
		return nil
	}
	defer key.Close()
	names, err := key.ReadValueNames(-1)
	if err != nil {
		return nil
	}
	values := map[string]string{}
	for _, name := range names {
		value, kind, err := key.GetStringValue(name)
		if err != nil {
			continue
		}
		if kind == registry.EXPAND_SZ {
			if expanded, err := registry.ExpandString(value); err == nil {
				value = expanded
			}
		}
		values[name] = value
	}
	return values
}

// environmentBlock is what CreateProcess takes: sorted, each variable ended by a zero, and one more.
func environmentBlock(env map[string]string) *uint16 {
	lines := make([]string, 0, len(env))
	for name, value := range env {
		if strings.ContainsRune(name+value, 0) {
			continue
		}
		lines = append(lines, name+"="+value)
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(strings.ToUpper(a), strings.ToUpper(b)) })
	block := []uint16{}
	for _, line := range lines {
		block = append(block, utf16.Encode([]rune(line))...)
		block = append(block, 0)
	}
	block = append(block, 0)
	return &block[0]
}
