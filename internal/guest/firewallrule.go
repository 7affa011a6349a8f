package guest

import "strings"

// ruleParts takes a rule apart that is in the registry's form ([MS-GPFAS] 2.2.2): fields of NAME=value between bars,
// some more than once. Those that a layer sets have the plan's names, others their own.
func ruleParts(text string) map[string]string {
	parts := map[string]string{}
	for field := range strings.SplitSeq(text, "|") {
		name, value, ok := strings.Cut(field, "=")
		if !ok {
			continue
		}
		switch name {
		case "LPort":
			name = "port"
		case "Protocol":
			name, value = "protocol", protocolName(value)
		case "Active":
			name, value = "enabled", map[string]string{"TRUE": "yes", "FALSE": "no"}[strings.ToUpper(value)]
		case "Dir":
			name, value = "direction", strings.ToLower(value)
		case "Action":
			name, value = "action", strings.ToLower(value)
		default:
			name = strings.ToLower(name)
		}
		if had, ok := parts[name]; ok {
			value = had + "," + value
		}
		parts[name] = value
	}
	return parts
}

// protocolName gives the word for an IP protocol's number.
func protocolName(number string) string {
	switch number {
	case "6":
		return "tcp"
	case "17":
		return "udp"
	}
	return number
}
