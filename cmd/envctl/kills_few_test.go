//go:build unix && !faults

package main

// How often up is killed: enough to see that the tests themselves work. "make test-faults" kills more.
const containerKills, sandboxKills = 8, 6
