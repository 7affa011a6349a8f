package practice

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"runtime"
)

// handler answers GET /health, /practice, /patients and /patients/{id}.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", s.health)
	mux.HandleFunc("GET /practice", s.practice)
	mux.HandleFunc("GET /patients", s.listPatients)
	mux.HandleFunc("GET /patients/{id}", s.onePatient)
	return mux
}

// health says that the service lives. It does not ask the database: a practice system whose database is
// away still has to be up to say so.
func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, map[string]string{"status": "ok", "service": "pas"})
}

func (s *Server) practice(w http.ResponseWriter, r *http.Request) {
	cfg, err := s.store.source()
	if err != nil {
		s.fail(w, err)
		return
	}
	host, _ := os.Hostname() // shown to people; a machine without a name is shown as one
	answer(w, http.StatusOK, map[string]string{
		"clinic":   cfg.Clinic,
		"computer": host,
		"platform": runtime.GOOS + "/" + runtime.GOARCH,
	})
}

func (s *Server) listPatients(w http.ResponseWriter, r *http.Request) {
	list, err := s.store.patients(r.Context())
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, list)
}

func (s *Server) onePatient(w http.ResponseWriter, r *http.Request) {
	p, err := s.store.patient(r.Context(), r.PathValue("id"))
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, p)
}

func (s *Server) fail(w http.ResponseWriter, err error) {
	status := http.StatusBadGateway
	if errors.Is(err, errNoPatient) {
		status = http.StatusNotFound
	} else {
		s.log.Error("request failed", "error", err)
	}
	answer(w, status, map[string]string{"error": err.Error()})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a caller that went away is no fault of ours
}
