// Package heard notes when something last came from the other side of a connection. It goes by the clock that nobody
// sets: a computer's time that jumps makes no live connection look dead, and no dead one alive.
package heard

import (
	"sync/atomic"
	"time"
)

// Mark is when something last came. It may be used from many goroutines.
type Mark struct {
	began time.Time    // has the reading of the clock that nobody sets, which nanoseconds of Unix time would not
	last  atomic.Int64 // nanoseconds since began
}

// New gives a Mark for which something came just now.
func New() *Mark { return &Mark{began: time.Now()} }

// Touch notes that something came.
func (m *Mark) Touch() { m.last.Store(int64(time.Since(m.began))) }

// Silence is how long nothing has come.
func (m *Mark) Silence() time.Duration { return time.Since(m.began) - time.Duration(m.last.Load()) }
