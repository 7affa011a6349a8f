// Package watch keeps what a container holds as it is on the host: it knows which files those are (Rules), hears of
// changes (Watcher), finds what differs, and packs it (Mirror). It asks for the container by an interface and
// knows neither the engine nor what a restart or a build is: it only says that one is called for.
package watch
