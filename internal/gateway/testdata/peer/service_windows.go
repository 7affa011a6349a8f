package main

import "golang.org/x/sys/windows/svc"

type service struct{ run func() error }

func (s service) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (bool, uint32) {
	failed := make(chan error, 1)
	go func() { failed <- s.run() }()
	status <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown}
	for {
		select {
		case <-failed:
			return true, 1
		case r := <-requests:
			if r.Cmd == svc.Stop || r.Cmd == svc.Shutdown {
				return false, 0
			}
			status <- r.CurrentStatus
		}
	}
}

func runService(run func() error) error { return svc.Run("peer", service{run}) }
