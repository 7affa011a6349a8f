package envspec

import (
	"slices"

	"github.com/envctl/envctl/internal/addr"
)

// received are the endpoints whose address a body received, and whether the body waits for each. Most bodies
// have one or two.
type received struct {
	list  []receivedWire
	index map[addr.Endpoint]int // where in list; made once that is long
}

type receivedWire struct {
	to    addr.Endpoint
	waits bool
}

func (w *received) add(to addr.Endpoint, waits bool) {
	i := w.find(to)
	if i < 0 {
		i = len(w.list)
		w.list = append(w.list, receivedWire{to: to})
		if w.index != nil {
			w.index[to] = i
		}
	}
	w.list[i].waits = w.list[i].waits || waits
}

func (w *received) find(to addr.Endpoint) int {
	if len(w.list) <= few {
		return slices.IndexFunc(w.list, func(x receivedWire) bool { return x.to == to })
	}
	if w.index == nil {
		w.index = make(map[addr.Endpoint]int, len(w.list))
		for i, x := range w.list {
			w.index[x.to] = i
		}
	}
	if i, ok := w.index[to]; ok {
		return i
	}
	return -1
}

// drop takes out what matches. Nothing is added after it.
func (w *received) drop(match func(addr.Endpoint) bool) {
	w.list = slices.DeleteFunc(w.list, func(x receivedWire) bool { return match(x.to) })
	w.index = nil
}
