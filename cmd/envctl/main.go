// Command envctl builds development environments that are part Linux
// containers, part Windows machines, and wires them together.
package main

func main() {}
