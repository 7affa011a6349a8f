package kit

import (
	"context"
	"fmt"
)

// maxSecret is how large a secret BuildKit takes.
const maxSecret = 500 << 10

// calls are what BuildKit may call, by path: the services of its session/filesync, session/auth and session/secrets,
// and gRPC's own for whether the connection still is one.
func (s *Session) calls() map[string]call {
	return map[string]call{
		"/grpc.health.v1.Health/Check":                unary(s.healthy),
		"/moby.filesync.v1.FileSync/DiffCopy":         s.diffCopy,
		"/moby.filesync.v1.Auth/Credentials":          unary(s.credentials),
		"/moby.buildkit.secrets.v1.Secrets/GetSecret": unary(s.secret),
	}
}

// unary makes a call of what has one message for one.
func unary(answer func(context.Context, []byte) ([]byte, error)) call {
	return func(st *stream) error {
		question, err := st.receive()
		if err != nil {
			return err
		}
		msg, err := answer(st.request.Context(), question)
		if err != nil {
			return err
		}
		return st.send(msg)
	}
}

func (s *Session) healthy(context.Context, []byte) ([]byte, error) {
	const serving = 1
	return putNumber(nil, 1, serving), nil
}

// text gives a field of a message.
func text(msg []byte, number int) (is string, err error) {
	err = fields(msg, func(field int, _ uint64, b []byte) error {
		if field == number {
			is = string(b)
		}
		return nil
	})
	return is, err
}

func (s *Session) credentials(ctx context.Context, question []byte) ([]byte, error) {
	registry, err := text(question, 1)
	if err != nil {
		return nil, err
	}
	username, secret, err := s.Credentials(ctx, registry)
	if err != nil {
		return nil, err
	}
	return putBytes(putBytes(nil, 1, username), 2, secret), nil
}

func (s *Session) secret(_ context.Context, question []byte) ([]byte, error) {
	id, err := text(question, 1)
	if err != nil {
		return nil, err
	}
	value, ok := s.Secrets[id]
	switch {
	case !ok:
		return nil, refusal{notFound, fmt.Sprintf("the build has no secret %q", id)}
	case len(value) > maxSecret:
		return nil, fmt.Errorf("the secret %q has %d bytes, and BuildKit takes %d at most", id, len(value), maxSecret)
	}
	return putBytes(nil, 1, value), nil
}
