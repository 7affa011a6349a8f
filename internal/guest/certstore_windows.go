package guest

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/envctl/envctl/internal/secret"
)

// certStore is one of the machine's certificate stores.
type certStore struct {
	name   string
	handle windows.Handle
}

func openStore(name string) (certStore, error) {
	name16, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return certStore{}, err
	}
	h, err := windows.CertOpenStore(windows.CERT_STORE_PROV_SYSTEM_REGISTRY_W, 0, 0, windows.CERT_SYSTEM_STORE_LOCAL_MACHINE, uintptr(unsafe.Pointer(name16)))
	if err != nil {
		return certStore{}, fmt.Errorf("open the machine's certificate store %s: %w", name, err)
	}
	return certStore{name, h}, nil
}

func (s certStore) close() { _ = windows.CertCloseStore(s.handle, 0) }

// each shows every certificate, for the length of the call.
func (s certStore) each(show func(*windows.CertContext)) error {
	var c *windows.CertContext
	for {
		var err error
		c, err = windows.CertEnumCertificatesInStore(s.handle, c) // it frees the one before
		if c == nil {
			if errors.Is(err, windows.Errno(windows.CRYPT_E_NOT_FOUND)) || errors.Is(err, windows.ERROR_NO_MORE_FILES) {
				err = nil // the end
			}
			return err
		}
		show(c)
	}
}

// ids gives the SHA-256 of every certificate.
func (s certStore) ids() ([]string, error) {
	var ids []string
	err := s.each(func(c *windows.CertContext) { ids = append(ids, certificateID(encoded(c))) })
	if err != nil {
		return nil, fmt.Errorf("read certificate store %s: %w", s.name, err)
	}
	return ids, nil
}

func encoded(c *windows.CertContext) []byte { return unsafe.Slice(c.EncodedCert, c.Length) }

// importPFX gives the certificates in a PFX.
func importPFX(b []byte, password *secret.Text, flags uint32) ([]*windows.CertContext, error) {
	var word *uint16
	if password != nil {
		var err error
		if word, err = windows.UTF16PtrFromString(password.Reveal()); err != nil {
			return nil, errors.New("the password has a zero in it")
		}
	}
	data := windows.CryptDataBlob{Size: uint32(len(b))}
	if len(b) > 0 {
		data.Data = &b[0]
	}
	h, err := windows.PFXImportCertStore(&data, word, flags)
	if errors.Is(err, windows.ERROR_INVALID_PASSWORD) {
		return nil, errors.New("the password does not open it")
	}
	if err != nil {
		return nil, fmt.Errorf("it cannot be read as a PFX: %w", err)
	}
	memory := certStore{"of the PFX", h}
	defer memory.close()
	var all []*windows.CertContext
	err = memory.each(func(c *windows.CertContext) { all = append(all, windows.CertDuplicateCertificateContext(c)) })
	if err == nil && len(all) == 0 {
		err = errors.New("it holds no certificate")
	}
	return all, err
}

// keyProvider is CRYPT_KEY_PROV_INFO (wincrypt.h): where a certificate's private key lies.
type keyProvider struct {
	Container *uint16
	Provider  *uint16
	Type      uint32 // 0 is CNG
	Flags     uint32
	Params    uint32
	_         uintptr
	KeySpec   uint32
}

// deleteKeyOf removes the private key of a certificate, where it has one that is kept.
func deleteKeyOf(c *windows.CertContext) {
	const keyProvInfo = 2 // CERT_KEY_PROV_INFO_PROP_ID
	var size uint32
	if r, _, _ := procCertGetProperty.Call(uintptr(unsafe.Pointer(c)), keyProvInfo, 0, uintptr(unsafe.Pointer(&size))); r == 0 || size == 0 {
		return
	}
	buf := make([]uint64, (size+7)/8) // aligned
	if r, _, _ := procCertGetProperty.Call(uintptr(unsafe.Pointer(c)), keyProvInfo, uintptr(unsafe.Pointer(&buf[0])), uintptr(unsafe.Pointer(&size))); r == 0 {
		return
	}
	info := (*keyProvider)(unsafe.Pointer(&buf[0]))
	const deleteKeySet, machineKeySet = 0x10, 0x20 // CRYPT_DELETEKEYSET, CRYPT_MACHINE_KEYSET; NCRYPT's is the same
	if info.Type != 0 {
		var none windows.Handle
		_ = windows.CryptAcquireContext(&none, info.Container, info.Provider, info.Type, deleteKeySet|machineKeySet) // a key that is gone is gone
		return
	}
	var provider, key uintptr
	if r, _, _ := procNCryptOpenProvider.Call(uintptr(unsafe.Pointer(&provider)), uintptr(unsafe.Pointer(info.Provider)), 0); r != 0 {
		return
	}
	defer procNCryptFree.Call(provider)
	if r, _, _ := procNCryptOpenKey.Call(provider, uintptr(unsafe.Pointer(&key)), uintptr(unsafe.Pointer(info.Container)), uintptr(info.KeySpec), machineKeySet); r == 0 {
		procNCryptDeleteKey.Call(key, 0) // it frees the key
	}
}
