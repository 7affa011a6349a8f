package guest

import (
	"context"
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// vaultKind keeps a generic credential in Credential Manager, for the account that the helper runs as:
// its programs alone can read it.
type vaultKind struct{}

// vaultSaved is what was there before; nil fields where nothing was.
type vaultSaved struct {
	Had      bool   `json:"had,omitempty"`
	Username string `json:"username,omitempty"`
	Blob     []byte `json:"blob,omitempty"`
	Persist  uint32 `json:"persist,omitempty"`
	Comment  string `json:"comment,omitempty"`
}

// credential is CREDENTIALW (wincred.h).
type credential struct {
	Flags              uint32
	Type               uint32
	TargetName         *uint16
	Comment            *uint16
	LastWritten        windows.Filetime
	CredentialBlobSize uint32
	CredentialBlob     *byte
	Persist            uint32
	AttributeCount     uint32
	Attributes         uintptr
	TargetAlias        *uint16
	UserName           *uint16
}

const (
	credGeneric      = 1 // CRED_TYPE_GENERIC
	credLocalMachine = 2 // CRED_PERSIST_LOCAL_MACHINE: every session of this user on this machine
)

// maxCredential is CRED_MAX_CREDENTIAL_BLOB_SIZE, in bytes.
const maxCredential = 5 * 512

func (vaultKind) apply(_ context.Context, s *step) error {
	before, err := readCredential(s.layer.Name)
	if err != nil {
		return err
	}
	if err := s.save(before); err != nil {
		return err
	}
	password := utf16z(s.layer.Vault.Password.Reveal())
	return writeCredential(s.layer.Name, vaultSaved{Username: s.layer.Vault.Username,
		Blob: password[:len(password)-2], Persist: credLocalMachine, Comment: "envctl"})
}

func (vaultKind) undo(_ context.Context, s *step) error {
	var saved vaultSaved
	if ok, err := s.saved(&saved); !ok {
		return err
	}
	if saved.Had {
		return writeCredential(s.layer.Name, saved)
	}
	target, err := windows.UTF16PtrFromString(s.layer.Name)
	if err != nil {
		return err
	}
	r, _, err := procCredDelete.Call(uintptr(unsafe.Pointer(target)), credGeneric, 0)
	if r == 0 && !errors.Is(err, windows.ERROR_NOT_FOUND) {
		return vaultError(err)
	}
	return nil
}

func (vaultKind) observe(_ context.Context, s *step) (d drift, err error) {
	is, err := readCredential(s.layer.Name)
	if err != nil {
		return d, err
	}
	if !is.Had {
		return drifted("the credential is gone"), nil
	}
	if want := s.layer.Vault.Username; is.Username != want {
		d.part("username", shownWhere(want, true), shownWhere(is.Username, true))
	}
	// Whatever a vault keeps is a secret, marked or not.
	if want := utf16z(s.layer.Vault.Password.Reveal()); string(is.Blob) != string(want[:len(want)-2]) {
		d.hidden("password", false)
	}
	if len(d.parts) > 0 {
		d.say("the credential was changed")
	}
	return d, nil
}

func readCredential(target string) (vaultSaved, error) {
	target16, err := windows.UTF16PtrFromString(target)
	if err != nil {
		return vaultSaved{}, err
	}
	var c *credential
	r, _, err := procCredRead.Call(uintptr(unsafe.Pointer(target16)), credGeneric, 0, uintptr(unsafe.Pointer(&c)))
	if r == 0 {
		if errors.Is(err, windows.ERROR_NOT_FOUND) {
			return vaultSaved{}, nil
		}
		return vaultSaved{}, vaultError(err)
	}
	defer procCredFree.Call(uintptr(unsafe.Pointer(c)))
	v := vaultSaved{Had: true, Persist: c.Persist, Username: windows.UTF16PtrToString(c.UserName), Comment: windows.UTF16PtrToString(c.Comment)}
	if c.CredentialBlobSize > 0 {
		v.Blob = append(v.Blob, unsafe.Slice(c.CredentialBlob, c.CredentialBlobSize)...)
	}
	return v, nil
}

func writeCredential(target string, v vaultSaved) error {
	if len(v.Blob) > maxCredential {
		return fmt.Errorf("the password has %d bytes, Credential Manager takes %d", len(v.Blob), maxCredential)
	}
	c := credential{Type: credGeneric, Persist: v.Persist, CredentialBlobSize: uint32(len(v.Blob))}
	if len(v.Blob) > 0 {
		c.CredentialBlob = &v.Blob[0]
	}
	for _, text := range []struct {
		to   **uint16
		from string
	}{{&c.TargetName, target}, {&c.UserName, v.Username}, {&c.Comment, v.Comment}} {
		var err error
		if *text.to, err = windows.UTF16PtrFromString(text.from); err != nil {
			return err
		}
	}
	if r, _, err := procCredWrite.Call(uintptr(unsafe.Pointer(&c)), 0); r == 0 {
		return vaultError(err)
	}
	return nil
}

// vaultError explains what a network logon, which WinRM's is, answers.
func vaultError(err error) error {
	if errors.Is(err, windows.ERROR_NO_SUCH_LOGON_SESSION) {
		return fmt.Errorf("%w: Credential Manager is closed to a network logon such as WinRM's; reach the machine with ssh, or hand the secret over with a file, registry or service layer", err)
	}
	return err
}
