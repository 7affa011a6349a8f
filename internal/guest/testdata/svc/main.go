//go:build windows

// Command svc is the service that the tests' package brings. It answers its own variables on a port;
// with FAIL set it ends at once with a code of its own, with HANG it never says that it runs.
package main

import (
	"net/http"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/windows/svc"
)

type service struct{}

func (service) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (bool, uint32) {
	status <- svc.Status{State: svc.StartPending}
	if os.Getenv("HANG") != "" {
		time.Sleep(time.Hour)
	}
	if code, err := strconv.Atoi(os.Getenv("FAIL")); err == nil {
		return true, uint32(code)
	}
	server := &http.Server{Addr: "127.0.0.1:18080", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(os.Getenv(r.URL.Query().Get("name"))))
	})}
	go server.ListenAndServe()
	status <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown}
	for r := range requests {
		if r.Cmd == svc.Stop || r.Cmd == svc.Shutdown {
			status <- svc.Status{State: svc.StopPending}
			server.Close()
			return false, 0
		}
		status <- r.CurrentStatus
	}
	return false, 0
}

func main() {
	if err := svc.Run("EnvctlTestSvc", service{}); err != nil {
		os.Exit(1)
	}
}
