package sandbox

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/envctl/envctl/internal/lazyregexp"
)

var durationForm = lazyregexp.New(`^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$`)

// parseDuration reads an xs:duration without years and months; a bare number is refused, as
// WinRM refuses it.
func parseDuration(s string) (time.Duration, error) {
	m := durationForm.FindStringSubmatch(s)
	if m == nil || s == "P" || s[len(s)-1] == 'T' {
		return 0, fmt.Errorf("%q is not a duration such as PT60S", s)
	}
	if m[1] != "" || m[2] != "" {
		return 0, fmt.Errorf("%q: years and months are not accepted", s)
	}
	var total float64
	for i, unit := range map[int]float64{3: 86400, 4: 3600, 5: 60, 6: 1} {
		if m[i] == "" {
			continue
		}
		v, err := strconv.ParseFloat(m[i], 64)
		if err != nil {
			return 0, fmt.Errorf("%q: %w", s, err)
		}
		total += v * unit
	}
	if total > 1e9 {
		return 0, errors.New("duration out of range")
	}
	return time.Duration(total * float64(time.Second)), nil
}

// formatDuration writes a duration as WinRM writes idle timeouts: PT7200.000S.
func formatDuration(d time.Duration) string {
	return fmt.Sprintf("PT%.3fS", d.Seconds())
}
