package guest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/sys/windows"
)

// A PFX's private key lies in a key container before its certificate is in a store. A helper that is killed in between
// leaves a container that nothing points to; it is found by the public key that is in it.

// publicKeyID tells public keys apart.
func publicKeyID(k *windows.CertPublicKeyInfo) string {
	sum := sha256.Sum256(unsafe.Slice(k.PublicKey.Data, k.PublicKey.Size))
	return hex.EncodeToString(sum[:])
}

// keyContainers lists the machine's containers that hold one of these keys. Keys of CNG, which is where those of
// elliptic curves go, are not among them.
func keyContainers(keys []string) ([]string, error) {
	const enumContainers, first, next = 2, 1, 2 // PP_ENUMCONTAINERS, CRYPT_FIRST, CRYPT_NEXT
	var provider windows.Handle
	err := windows.CryptAcquireContext(&provider, nil, nil, windows.PROV_RSA_FULL, windows.CRYPT_VERIFYCONTEXT|windows.CRYPT_MACHINE_KEYSET)
	if err != nil {
		return nil, fmt.Errorf("list the machine's keys: %w", err)
	}
	defer windows.CryptReleaseContext(provider, 0) //nolint:errcheck // only read from
	var found []string
	buf := make([]byte, 1024)
	for which := uintptr(first); ; which = next {
		size := uint32(len(buf))
		r, _, err := procCryptGetProvParam.Call(uintptr(provider), enumContainers, uintptr(unsafe.Pointer(&buf[0])), uintptr(unsafe.Pointer(&size)), which)
		if r == 0 {
			if errors.Is(err, windows.ERROR_NO_MORE_ITEMS) {
				return found, nil
			}
			return nil, fmt.Errorf("list the machine's keys: %w", err)
		}
		name := windows.ByteSliceToString(buf)
		if slices.ContainsFunc(keysIn(name), func(key string) bool { return slices.Contains(keys, key) }) {
			found = append(found, name)
		}
	}
}

// keysIn gives the public keys of a container's key pairs; none where it cannot be read.
func keysIn(container string) []string {
	name, err := windows.UTF16PtrFromString(container)
	if err != nil {
		return nil
	}
	var h windows.Handle
	if windows.CryptAcquireContext(&h, name, nil, windows.PROV_RSA_FULL, windows.CRYPT_MACHINE_KEYSET|windows.CRYPT_SILENT) != nil {
		return nil
	}
	defer windows.CryptReleaseContext(h, 0) //nolint:errcheck // only read from
	var keys []string
	for _, pair := range []uintptr{1, 2} { // AT_KEYEXCHANGE, AT_SIGNATURE
		var size uint32
		if r, _, _ := procCryptExportPublicKey.Call(uintptr(h), pair, windows.X509_ASN_ENCODING, 0, uintptr(unsafe.Pointer(&size))); r == 0 || size == 0 {
			continue
		}
		buf := make([]uint64, (size+7)/8) // aligned
		info := (*windows.CertPublicKeyInfo)(unsafe.Pointer(&buf[0]))
		if r, _, _ := procCryptExportPublicKey.Call(uintptr(h), pair, windows.X509_ASN_ENCODING, uintptr(unsafe.Pointer(info)), uintptr(unsafe.Pointer(&size))); r != 0 {
			keys = append(keys, publicKeyID(info))
		}
	}
	return keys
}

// deleteContainer removes a key container of the machine's; that it is gone already is no matter.
func deleteContainer(container string) {
	const deleteKeySet = 0x10 // CRYPT_DELETEKEYSET
	name, err := windows.UTF16PtrFromString(container)
	if err != nil {
		return
	}
	var none windows.Handle
	_ = windows.CryptAcquireContext(&none, name, nil, windows.PROV_RSA_FULL, deleteKeySet|windows.CRYPT_MACHINE_KEYSET)
}
