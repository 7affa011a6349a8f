//go:build !windows

package guest

func asService() (code int, handled bool) { return 0, false }
