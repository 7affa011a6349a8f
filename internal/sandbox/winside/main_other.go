//go:build !windows

package winside

// Main does nothing outside Windows.
func Main([]string) (handled bool, code int) { return false, 0 }
