package sandbox

import (
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
)

// connAuth is what a connection has authenticated as.
type connAuth struct {
	mu     sync.Mutex
	pend   *handshake
	user   string
	sealed *sealer
}

func (a *connAuth) session() *sealer {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sealed
}

func (a *connAuth) drop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pend, a.user, a.sealed = nil, "", nil
}

// challenge answers 401 with the schemes that this request could use.
func (s *Server) challenge(w http.ResponseWriter, req *http.Request) {
	h := w.Header()
	h.Add("WWW-Authenticate", "Negotiate")
	h.Add("WWW-Authenticate", "NTLM")
	if s.basicAllowed(req) {
		h.Add("WWW-Authenticate", `Basic realm="WSMAN"`)
	}
	h.Set("Server", "Microsoft-HTTPAPI/2.0")
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusUnauthorized)
}

func (s *Server) basicAllowed(req *http.Request) bool {
	return req.TLS != nil || s.opt.AllowUnencrypted
}

// authenticate says who sent the request, or answers it with a 401 and false.
func (s *Server) authenticate(w http.ResponseWriter, req *http.Request, auth *connAuth, body []byte) (identity, bool) {
	scheme, token, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	switch strings.ToLower(scheme) {
	case "":
		auth.mu.Lock()
		user := auth.user
		auth.mu.Unlock()
		// A client that probes with an empty POST wants a challenge, whatever the connection is.
		if user != "" && len(body) > 0 {
			return identity{user: user}, true
		}
	case "basic":
		if user, ok := s.basic(token); ok && s.basicAllowed(req) {
			return identity{user: user, basic: true}, true
		}
	case "negotiate", "ntlm":
		return s.negotiate(w, req, auth, scheme, token)
	}
	s.challenge(w, req)
	return identity{}, false
}

// basic checks credentials. Clients differ in how they encode what is beyond ASCII, so a
// password passes as UTF-8 and as Latin-1.
func (s *Server) basic(token string) (string, bool) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(token))
	if err != nil {
		return "", false
	}
	user, password, ok := strings.Cut(string(raw), ":")
	if !ok || password == "" {
		return "", false
	}
	right := subtle.ConstantTimeCompare([]byte(password), []byte(s.opt.Password))
	if latin, ok := latin1(s.opt.Password); ok {
		right |= subtle.ConstantTimeCompare([]byte(password), latin)
	}
	if right != 1 || !(s.isUser(user) || s.isUser(fromLatin1(user))) {
		return "", false
	}
	return s.opt.User, true
}

// isUser compares an account's name, which may come with a domain before or after it.
func (s *Server) isUser(name string) bool {
	if i := strings.LastIndexByte(name, '\\'); i >= 0 {
		name = name[i+1:]
	}
	local, _, _ := strings.Cut(name, "@")
	return strings.EqualFold(name, s.opt.User) || strings.EqualFold(local, s.opt.User)
}

func latin1(s string) ([]byte, bool) {
	var out []byte
	for _, r := range s {
		if r > 0xff {
			return nil, false
		}
		out = append(out, byte(r))
	}
	return out, true
}

func fromLatin1(s string) string {
	out := make([]rune, len(s))
	for i := range len(s) {
		out[i] = rune(s[i])
	}
	return string(out)
}

// negotiate carries NTLM on, raw or inside SPNEGO.
func (s *Server) negotiate(w http.ResponseWriter, req *http.Request, auth *connAuth, scheme, token string) (identity, bool) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(token))
	if err != nil {
		s.challenge(w, req)
		return identity{}, false
	}
	auth.mu.Lock()
	defer auth.mu.Unlock()
	message, wrapped := unwrapSPNEGO(raw)
	switch messageType(message) {
	case 1:
		auth.user, auth.sealed = "", nil
		h, challenge, err := newHandshake(message, s.opt.Machine)
		if err != nil {
			break
		}
		auth.pend = h
		if wrapped {
			challenge = spnegoChallenge(challenge)
		}
		w.Header().Set("WWW-Authenticate", scheme+" "+base64.StdEncoding.EncodeToString(challenge))
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusUnauthorized)
		return identity{}, false
	case 3:
		h := auth.pend
		auth.pend = nil // a challenge serves once
		if h == nil {
			break
		}
		sealed, err := h.finish(message, s.isUser, s.opt.Password)
		if err != nil {
			s.log.Info("NTLM refused", "reason", err)
			break
		}
		auth.user, auth.sealed = s.opt.User, sealed
		if wrapped {
			w.Header().Set("WWW-Authenticate", scheme+" "+base64.StdEncoding.EncodeToString(spnegoAccept(raw, sealed)))
		}
		return identity{user: s.opt.User}, true
	}
	auth.user, auth.sealed = "", nil
	s.challenge(w, req)
	return identity{}, false
}
