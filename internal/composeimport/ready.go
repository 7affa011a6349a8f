package composeimport

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
)

// Compose's own, where a health check does not say.
const (
	usualInterval = 30 * time.Second
	usualTimeout  = 30 * time.Second
	usualRetries  = 3
)

// ready writes a ready block of a health check.
func (im *importer) ready(w *writer, s *service) {
	h := s.HealthCheck
	s.HealthCheck = nil
	if h == nil {
		return
	}
	if h.Disable || len(h.Test) > 0 && h.Test[0] == "NONE" {
		w.left("healthcheck: disabled; without a ready block the container is ready when it runs")
		return
	}
	if len(h.Test) < 2 {
		w.leftover("healthcheck, of the image's own check", h)
		return
	}
	var words []text
	for i, word := range h.Test[1:] {
		words = append(words, im.text(word, shows, "services", s.Name, "healthcheck", "test", strconv.Itoa(i+1)))
	}
	if h.Test[0] == "CMD-SHELL" {
		words = append(literals([]string{"/bin/sh", "-c"}), words...)
		if raw, ok := im.rawAt([]string{"services", s.Name, "healthcheck", "test"}).(string); ok && strings.Contains(raw, "$") {
			words[2] = im.text(h.Test[1], shows, "services", s.Name, "healthcheck", "test")
		}
	}
	w.block("ready", func(w *writer) {
		w.attr("exec", list(words))
		timing(w, h)
	})
}

// timing carries over how long Compose would have waited in all. Its interval is that of a check that
// goes on for ever, and would only slow down the start.
func timing(w *writer, h *types.HealthCheckConfig) {
	var said []string
	of := func(name string, d *types.Duration, usual time.Duration) time.Duration {
		if d == nil {
			return usual
		}
		said = append(said, name+" "+span(time.Duration(*d)))
		return time.Duration(*d)
	}
	interval := of("interval", h.Interval, usualInterval)
	grace := of("start_period", h.StartPeriod, 0)
	of("start_interval", h.StartInterval, 0)
	timeout := h.Timeout
	retries := uint64(usualRetries)
	if h.Retries != nil {
		retries = *h.Retries
		said = append(said, "retries "+strconv.FormatUint(retries, 10))
	}
	if timeout != nil {
		w.attr("timeout", quote(span(time.Duration(*timeout))))
	}
	if len(said) == 0 {
		return
	}
	each := usualTimeout
	if timeout != nil {
		each = time.Duration(*timeout)
	}
	w.comment(fmt.Sprintf("Compose: %s. Here tries begin at milliseconds; this is how long it may take in all.", strings.Join(said, ", ")))
	w.attr("start_period", quote(span((grace + time.Duration(min(retries, 10_000))*(interval+each)).Round(time.Second))))
}
