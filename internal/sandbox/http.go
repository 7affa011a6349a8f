package sandbox

import (
	"context"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
)

const (
	soapType      = "application/soap+xml;charset=UTF-8"
	spnegoType    = "application/HTTP-SPNEGO-session-encrypted"
	encryptedType = `multipart/encrypted;protocol="` + spnegoType + `";boundary="Encrypted Boundary"`
)

type connKey struct{}

// ConnContext remembers each connection's authentication: NTLM holds for a connection, not for
// a request. Set it as the http.Server's.
func (s *Server) ConnContext(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, &connAuth{})
}

// HTTPServer gives a server around Handler, ready to serve a listener with or without TLS.
func (s *Server) HTTPServer() *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true) // NTLM and sealing belong to a connection
	return &http.Server{Handler: s.Handler(), ConnContext: s.ConnContext, Protocols: &protocols}
}

// Handler answers at /wsman.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/wsman", s.serve)
	mux.HandleFunc("/wsman-anon/identify", s.serve)
	return mux
}

func (s *Server) serve(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "", http.StatusMethodNotAllowed)
		return
	}
	// A sealed envelope carries its signature and parts' heads around it.
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, int64(s.limits.Envelope)+4<<10))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			http.Error(w, "", http.StatusRequestEntityTooLarge)
			return
		}
		return // the client went away
	}
	s.Shape.hold(req.Context(), len(body), true)
	if strings.EqualFold(req.Header.Get("WSMANIDENTIFY"), "unauthenticated") {
		s.identify(w, body)
		return
	}
	auth, _ := req.Context().Value(connKey{}).(*connAuth)
	if auth == nil {
		auth = &connAuth{}
	}
	who, ok := s.authenticate(w, req, auth, body)
	if !ok {
		return
	}
	s.answerAuthenticated(w, req, auth, who, body)
}

func (s *Server) identify(w http.ResponseWriter, body []byte) {
	r, err := parseRequest(body)
	if err != nil || !r.identify {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	s.reply(w, nil, http.StatusOK, identifyAnswer(false))
}

// identity is who a request comes from and by which scheme.
type identity struct {
	user  string
	basic bool
}

func (s *Server) answerAuthenticated(w http.ResponseWriter, req *http.Request, auth *connAuth, who identity, body []byte) {
	media, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	var session *sealer
	switch {
	case media == "multipart/encrypted":
		if session = auth.session(); session == nil {
			s.challenge(w, req)
			return
		}
		plain, err := openSealed(session, body)
		if err != nil {
			s.log.Info("sealed message refused", "error", err)
			auth.drop() // the cipher's state is lost with it
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		body = plain
	case len(body) == 0:
		w.WriteHeader(http.StatusOK) // the end of a handshake that carried no message
		return
	case req.TLS == nil && !s.opt.AllowUnencrypted:
		f := faultAccess("The message is not encrypted, and this service does not allow unencrypted traffic. Use HTTPS, or NTLM with message encryption.")
		s.reply(w, nil, http.StatusInternalServerError, f.envelope(nil, s.opt.Machine))
		return
	}
	if len(body) > s.limits.Envelope {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	client, _, _ := net.SplitHostPort(req.RemoteAddr)
	answer, status := s.answerTo(req.Context(), body, who.user, client)
	s.Shape.hold(req.Context(), len(answer), false)
	s.reply(w, session, status, answer)
}

// reply sends an envelope, sealed where the request was.
func (s *Server) reply(w http.ResponseWriter, session *sealer, status int, body []byte) {
	contentType := soapType
	if session != nil {
		contentType, body = encryptedType, sealBody(session, body)
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Server", "Microsoft-HTTPAPI/2.0")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away needs no answer
}
