// Command peer is both ends of the wires in the gateway's test: a page behind them, one who asks for it, and
// on Windows a service that fetches what it answers with.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	switch os.Args[1] {
	case "serve": // serve ADDRESS TEXT
		http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, os.Args[3]) })
		check(http.ListenAndServe(os.Args[2], nil))
	case "get": // get URL
		text, err := get(os.Args[2])
		check(err)
		fmt.Print(text)
	case "service": // service ADDRESS URL: on ADDRESS it answers /through with what URL gives
		http.HandleFunc("/health", func(http.ResponseWriter, *http.Request) {})
		http.HandleFunc("/through", func(w http.ResponseWriter, _ *http.Request) {
			text, err := get(os.Args[3])
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			fmt.Fprintf(w, "Windows got %q", text)
		})
		check(runService(func() error { return http.ListenAndServe(os.Args[2], nil) }))
	}
}

func get(url string) (string, error) {
	c := http.Client{Timeout: 10 * time.Second}
	resp, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return string(body), err
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
