package lazyregexp

import "testing"

func TestOnlyUseCompiles(t *testing.T) {
	bad := New(`(`) // not yet
	if !New(`^a+$`).MatchString("aaa") {
		t.Error("no match")
	}
	defer func() {
		if recover() == nil {
			t.Error("used, and not compiled")
		}
	}()
	bad.MatchString("")
}
