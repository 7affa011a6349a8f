package sandbox

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"encoding/binary"
	"errors"
	"strconv"
	"sync"
)

// sealer is the server's half of an NTLM session's security ([MS-NLMP] 3.4). Its ciphers have
// state: messages must be opened and sealed in the order in which they travel.
type sealer struct {
	mu      sync.Mutex
	keyExch bool
	session []byte
	flags   uint32
	in, out direction
}

// direction is one way's keys and state.
type direction struct {
	sign   []byte
	cipher *rc4.Cipher
	seq    uint32
}

func newSealer(session []byte, flags uint32) *sealer {
	s := &sealer{keyExch: flags&flagKeyExch != 0, session: session, flags: flags}
	s.reset()
	return s
}

// reset begins both directions again, as SPNEGO does after it has signed its list of mechanisms.
func (s *sealer) reset() {
	s.in = newDirection(s.session, s.flags, "client-to-server")
	s.out = newDirection(s.session, s.flags, "server-to-client")
}

func newDirection(session []byte, flags uint32, way string) direction {
	sealBase := session
	switch {
	case flags&flag128 != 0:
	case flags&flag56 != 0:
		sealBase = session[:7]
	default:
		sealBase = session[:5]
	}
	derive := func(key []byte, kind string) []byte {
		sum := md5.Sum(append(bytes.Clone(key), "session key to "+way+" "+kind+" key magic constant\x00"...))
		return sum[:]
	}
	cipher, err := rc4.NewCipher(derive(sealBase, "sealing"))
	if err != nil {
		panic(err) // a key of 16 bytes is always accepted
	}
	return direction{sign: derive(session, "signing"), cipher: cipher}
}

// mac gives the signature of plain under the direction's next sequence number.
func (d *direction) mac(plain []byte, keyExch bool) []byte {
	var seq [4]byte
	binary.LittleEndian.PutUint32(seq[:], d.seq)
	d.seq++
	sum := hmacMD5(d.sign, seq[:], plain)[:8]
	if keyExch {
		d.cipher.XORKeyStream(sum, sum)
	}
	out := append([]byte{1, 0, 0, 0}, sum...)
	return append(out, seq[:]...)
}

func (s *sealer) open(sealed, signature []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	plain := make([]byte, len(sealed))
	s.in.cipher.XORKeyStream(plain, sealed)
	if !hmac.Equal(s.in.mac(plain, s.keyExch), signature) {
		return nil, errors.New("the signature is wrong")
	}
	return plain, nil
}

func (s *sealer) seal(plain []byte) (sealed, signature []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sealed = make([]byte, len(plain))
	s.out.cipher.XORKeyStream(sealed, plain)
	return sealed, s.out.mac(plain, s.keyExch)
}

var (
	boundary     = []byte("--Encrypted Boundary")
	streamHeader = []byte("Content-Type: application/octet-stream\r\n")
)

// openSealed takes the envelope out of a multipart/encrypted body ([MS-WSMV] 2.2.9.1).
func openSealed(s *sealer, body []byte) ([]byte, error) {
	if !bytes.HasPrefix(body, boundary) {
		return nil, errors.New("the boundary is missing")
	}
	_, data, ok := bytes.Cut(body, streamHeader)
	if !ok {
		return nil, errors.New("the sealed part is missing")
	}
	data, ok = bytes.CutSuffix(bytes.TrimSuffix(data, []byte("\r\n")), append(bytes.Clone(boundary), '-', '-'))
	if !ok {
		return nil, errors.New("the closing boundary is missing")
	}
	if len(data) < 4 {
		return nil, errors.New("the sealed part is cut short")
	}
	n := binary.LittleEndian.Uint32(data)
	if n != 16 || len(data) < 4+16 {
		return nil, errors.New("the signature's length is wrong")
	}
	return s.open(data[20:], data[4:20])
}

// sealBody puts an envelope into a multipart/encrypted body.
func sealBody(s *sealer, plain []byte) []byte {
	sealed, signature := s.seal(plain)
	var b bytes.Buffer
	b.Grow(len(sealed) + 512)
	b.Write(boundary)
	b.WriteString("\r\n\tContent-Type: " + spnegoType + "\r\n\tOriginalContent: type=" + soapType + ";Length=" + strconv.Itoa(len(plain)) + "\r\n")
	b.Write(boundary)
	b.WriteString("\r\n\t")
	b.Write(streamHeader)
	b.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(signature))))
	b.Write(signature)
	b.Write(sealed)
	b.Write(boundary)
	b.WriteString("--\r\n")
	return b.Bytes()
}
