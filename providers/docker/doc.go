// Package docker makes networks and containers true on a Docker engine: it pulls and builds images,
// creates, replaces, updates and removes containers, waits until they are ready, and reads back from
// labels alone what exists. It is the only importer of the Docker client. What should exist, and when, is
// decided elsewhere.
package docker
