package near

import "testing"

func TestOf(t *testing.T) {
	names := []string{"image", "build", "command", "working_dir", "depends_on", "port", "db", "Port"}
	for given, want := range map[string]string{
		"imgae": "image", "iamge": "image", "Image": "image", "comand": "command", "workingdir": "working_dir", "dbb": "db",
		"prot": "port", "bd": "db", "buidl": "build", "x": "", "zzzz": "", "a": "", "": "", "image": "",
		"Prot": "Port",
	} {
		if got := Of(given, names); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}
