package plan

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/envctl/envctl/internal/addr"
	"github.com/envctl/envctl/providers"
)

// sortNodes puts every node after those it waits for, ties by address, so that plans read the same each time.
func sortNodes(nodes []providers.Node) ([]providers.Node, error) {
	known := make(map[addr.Addr]bool, len(nodes))
	for _, n := range nodes {
		if known[n.Addr] {
			return nil, fmt.Errorf("%s is desired twice", n.Addr)
		}
		known[n.Addr] = true
	}
	for _, n := range nodes {
		for _, a := range n.After {
			if !known[a] {
				return nil, fmt.Errorf("%s waits for %s, which is not in the plan", n.Addr, a)
			}
		}
	}
	sorted := topological(nodes, func(n providers.Node) addr.Addr { return n.Addr },
		func(n providers.Node) []addr.Addr { return n.After })
	place := make(map[addr.Addr]int, len(sorted))
	for i, n := range sorted {
		place[n.Addr] = i
	}
	for i, n := range sorted {
		for _, a := range n.After {
			if place[a] >= i {
				return nil, fmt.Errorf("%s and %s wait for each other", n.Addr, a)
			}
		}
	}
	return sorted, nil
}

// topological sorts depth first over after, starting in the order of addresses. In a cycle somebody
// comes before what it waits for.
func topological[T any](items []T, key func(T) addr.Addr, after func(T) []addr.Addr) []T {
	byAddr := make(map[addr.Addr]T, len(items))
	for _, it := range items {
		byAddr[key(it)] = it
	}
	sorted := make([]T, 0, len(items))
	visited := make(map[addr.Addr]bool, len(items))
	var visit func(T)
	visit = func(it T) {
		if visited[key(it)] {
			return
		}
		visited[key(it)] = true
		for _, a := range ordered(after(it)) {
			if dep, ok := byAddr[a]; ok {
				visit(dep)
			}
		}
		sorted = append(sorted, it)
	}
	starts := make([]addr.Addr, 0, len(items))
	for a := range byAddr {
		starts = append(starts, a)
	}
	for _, a := range ordered(starts) {
		visit(byAddr[a])
	}
	return sorted
}

func ordered(as []addr.Addr) []addr.Addr {
	as = slices.Clone(as)
	slices.SortFunc(as, Compare)
	return as
}

// Compare orders addresses for people: by template, kind, name and key.
func Compare(a, b addr.Addr) int {
	return cmp.Or(cmp.Compare(a.Template, b.Template), cmp.Compare(a.Kind, b.Kind),
		cmp.Compare(a.Name, b.Name), cmp.Compare(a.Key, b.Key))
}
