//go:build unix && faults

package main

// How often up is killed by "make test-faults".
const containerKills, sandboxKills = 100, 20
