// Package floors holds no code, only the tests that keep the building's plan: which package may import
// which, who alone may use the Docker client, WinRM and the terminal library, that every package says
// what it is for, and that what the documents show can be parsed.
package floors
