package sandbox

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/rc4"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/md4"
)

// Flags of [MS-NLMP] 2.2.2.5.
const (
	flagUnicode    = 0x00000001
	flagTarget     = 0x00000004
	flagSign       = 0x00000010
	flagSeal       = 0x00000020
	flagNTLM       = 0x00000200
	flagAlwaysSign = 0x00008000
	flagServer     = 0x00020000
	flagESS        = 0x00080000 // extended session security
	flagTargetInfo = 0x00800000
	flagVersion    = 0x02000000
	flag128        = 0x20000000
	flagKeyExch    = 0x40000000
	flag56         = 0x80000000
)

// Attributes of a target information block ([MS-NLMP] 2.2.2.1).
const (
	avEnd         = 0
	avNbComputer  = 1
	avNbDomain    = 2
	avDNSComputer = 3
	avFlags       = 6
	avTimestamp   = 7

	avFlagMIC = 2
)

var ntlmSignature = []byte("NTLMSSP\x00")

// messageType gives 1, 2 or 3, or 0 for what is no NTLM message.
func messageType(m []byte) uint32 {
	if len(m) < 12 || !bytes.HasPrefix(m, ntlmSignature) {
		return 0
	}
	return binary.LittleEndian.Uint32(m[8:])
}

// handshake is the server's side of one NTLMv2 authentication.
type handshake struct {
	negotiate []byte
	challenge []byte
	nonce     [8]byte
	flags     uint32
}

// newHandshake answers a NEGOTIATE with a CHALLENGE ([MS-NLMP] 3.2.5.1.1).
func newHandshake(negotiate []byte, machine string) (*handshake, []byte, error) {
	if len(negotiate) < 16 {
		return nil, nil, errors.New("NEGOTIATE is cut short")
	}
	asked := binary.LittleEndian.Uint32(negotiate[12:])
	h := &handshake{negotiate: bytes.Clone(negotiate)}
	h.flags = flagUnicode | flagTarget | flagNTLM | flagAlwaysSign | flagServer | flagESS | flagTargetInfo | flagVersion
	h.flags |= asked & (flagKeyExch | flagSign | flagSeal | flag128 | flag56)
	if _, err := rand.Read(h.nonce[:]); err != nil {
		return nil, nil, err
	}
	name := toUTF16(strings.ToUpper(machine))
	info := avPair(nil, avNbDomain, name)
	info = avPair(info, avNbComputer, name)
	info = avPair(info, avDNSComputer, toUTF16(strings.ToLower(machine)))
	info = avPair(info, avTimestamp, binary.LittleEndian.AppendUint64(nil, fileTime(time.Now())))
	info = avPair(info, avEnd, nil)

	const head = 56
	m := append([]byte(nil), ntlmSignature...)
	m = binary.LittleEndian.AppendUint32(m, 2)
	m = field(m, len(name), head)
	m = binary.LittleEndian.AppendUint32(m, h.flags)
	m = append(m, h.nonce[:]...)
	m = append(m, make([]byte, 8)...)
	m = field(m, len(info), head+len(name))
	m = append(m, 10, 0, 0x63, 0x4a, 0, 0, 0, 15) // Windows 10.0.19043, NTLM revision 15
	m = append(m, name...)
	h.challenge = append(m, info...)
	return h, h.challenge, nil
}

func avPair(to []byte, id uint16, value []byte) []byte {
	to = binary.LittleEndian.AppendUint16(to, id)
	to = binary.LittleEndian.AppendUint16(to, uint16(len(value)))
	return append(to, value...)
}

func field(to []byte, length, offset int) []byte {
	to = binary.LittleEndian.AppendUint16(to, uint16(length))
	to = binary.LittleEndian.AppendUint16(to, uint16(length))
	return binary.LittleEndian.AppendUint32(to, uint32(offset))
}

// fileTime counts 100 ns since 1601.
func fileTime(t time.Time) uint64 { return uint64(t.UnixNano()/100) + 116444736000000000 }

// readField gives what a field at offset points to.
func readField(m []byte, offset int) ([]byte, error) {
	if len(m) < offset+8 {
		return nil, errors.New("AUTHENTICATE is cut short")
	}
	n := int(binary.LittleEndian.Uint16(m[offset:]))
	at := uint64(binary.LittleEndian.Uint32(m[offset+4:]))
	if n == 0 {
		return nil, nil
	}
	if at+uint64(n) > uint64(len(m)) {
		return nil, errors.New("AUTHENTICATE points outside itself")
	}
	return m[at : at+uint64(n)], nil
}

// finish verifies an AUTHENTICATE ([MS-NLMP] 3.2.5.1.2) for the one account. Only NTLMv2 passes,
// and where the client says that it sent a MIC, the MIC must be right.
func (h *handshake) finish(m []byte, isUser func(string) bool, password string) (*sealer, error) {
	const headWithMIC = 88
	fields := make([][]byte, 0, 5)
	for _, offset := range []int{20, 28, 36, 52} { // NT response, domain, user, session key
		f, err := readField(m, offset)
		if err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	if len(m) < 64 {
		return nil, errors.New("AUTHENTICATE is cut short")
	}
	response, domain, user, key := fields[0], fields[1], fields[2], fields[3]
	flags := binary.LittleEndian.Uint32(m[60:]) & h.flags
	if len(response) < 16+28 {
		return nil, errors.New("only NTLMv2 is accepted, and nobody anonymous")
	}
	if password == "" || !isUser(fromUTF16(user)) {
		return nil, errors.New("no such user")
	}
	hash := hmacMD5(ntHash(password), toUTF16(strings.ToUpper(fromUTF16(user))), domain)
	proof := hmacMD5(hash, h.nonce[:], response[16:])
	if subtle.ConstantTimeCompare(proof, response[:16]) != 1 {
		return nil, errors.New("wrong password")
	}
	session := hmacMD5(hash, proof)
	if flags&flagKeyExch != 0 {
		if len(key) != 16 {
			return nil, errors.New("the session key is missing")
		}
		c, err := rc4.NewCipher(session)
		if err != nil {
			return nil, err
		}
		session = make([]byte, 16)
		c.XORKeyStream(session, key)
	}
	sentMIC, err := announcesMIC(response[16+28:])
	if err != nil {
		return nil, err
	}
	if sentMIC {
		if len(m) < headWithMIC {
			return nil, errors.New("the MIC is missing")
		}
		zeroed := bytes.Clone(m)
		clear(zeroed[72:88])
		if !hmac.Equal(hmacMD5(session, h.negotiate, h.challenge, zeroed), m[72:88]) {
			return nil, errors.New("the MIC is wrong: the handshake was tampered with")
		}
	}
	return newSealer(session, flags), nil
}

// announcesMIC reads the client's copy of the target information, which the proof covers.
func announcesMIC(info []byte) (bool, error) {
	for len(info) >= 4 {
		id, n := binary.LittleEndian.Uint16(info), int(binary.LittleEndian.Uint16(info[2:]))
		if len(info) < 4+n {
			return false, fmt.Errorf("target information: attribute %d is cut short", id)
		}
		switch {
		case id == avEnd:
			return false, nil
		case id == avFlags && n == 4:
			return binary.LittleEndian.Uint32(info[4:])&avFlagMIC != 0, nil
		}
		info = info[4+n:]
	}
	return false, nil
}

func ntHash(password string) []byte {
	h := md4.New()
	h.Write(toUTF16(password))
	return h.Sum(nil)
}

func hmacMD5(key []byte, parts ...[]byte) []byte {
	h := hmac.New(md5.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}
