package practice

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/envctl/envctl/templates/quickstart/pas/hl7"
)

// idleTimeout ends an HL7 connection on which nothing came for so long.
const idleTimeout = 10 * time.Minute

// Server answers on the practice system's two ports.
type Server struct {
	store store
	log   *slog.Logger
}

// NewServer makes a server that reads its settings from source. It needs no database to start.
func NewServer(source Source, log *slog.Logger) *Server {
	return &Server{store: store{source: source}, log: log}
}

// Serve answers HTTP on api and HL7 on mllp until ctx ends; then it lets requests finish for up to 5 s.
// It closes both listeners.
func (s *Server) Serve(ctx context.Context, api, mllp net.Listener) error {
	defer s.store.close()
	web := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		wg   sync.WaitGroup
		errs = make(chan error, 2)
	)
	wg.Go(func() {
		defer cancel()
		if err := web.Serve(api); !errors.Is(err, http.ErrServerClosed) {
			errs <- fmt.Errorf("serve HTTP: %w", err)
		}
	})
	wg.Go(func() {
		defer cancel()
		if err := s.serveMLLP(ctx, mllp); err != nil {
			errs <- fmt.Errorf("serve HL7: %w", err)
		}
	})
	<-ctx.Done()
	ending, done := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer done()
	if err := web.Shutdown(ending); err != nil {
		web.Close()
	}
	wg.Wait()
	close(errs)
	return errors.Join(<-errs, <-errs)
}

func (s *Server) serveMLLP(ctx context.Context, l net.Listener) error {
	defer context.AfterFunc(ctx, func() { l.Close() })()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		wg.Go(func() {
			defer c.Close()
			defer context.AfterFunc(ctx, func() { c.Close() })()
			if err := s.converse(ctx, c); err != nil && ctx.Err() == nil {
				s.log.Error("hl7 connection", "peer", c.RemoteAddr().String(), "error", err)
			}
		})
	}
}

// converse answers the messages of one connection, in order.
func (s *Server) converse(ctx context.Context, c net.Conn) error {
	r := bufio.NewReader(c)
	for {
		if err := c.SetDeadline(time.Now().Add(idleTimeout)); err != nil {
			return err
		}
		raw, err := hl7.ReadBlock(r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := hl7.WriteBlock(c, s.take(ctx, raw)); err != nil {
			return err
		}
	}
}

// take does what one message asks and gives its acknowledgement.
func (s *Server) take(ctx context.Context, raw []byte) []byte {
	message, err := hl7.Parse(raw)
	if err != nil {
		s.log.Error("hl7 message refused", "error", err)
		return hl7.Refuse(err, time.Now())
	}
	patient, err := message.Patient()
	if err == nil {
		err = s.store.save(ctx, patient)
	}
	if err != nil {
		s.log.Error("hl7 message failed", "control_id", message.ControlID(), "error", err)
	} else {
		s.log.Info("hl7 message taken", "control_id", message.ControlID())
	}
	return message.Acknowledge(err, time.Now())
}
