package guest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/windows"

	"github.com/envctl/envctl/internal/guestproto"
)

// certificateKind puts certificates into a store of the machine. A PFX brings its private key, which lies in a
// key container of the machine's from then on.
type certificateKind struct{}

// certificateSaved is what undo needs: each certificate, by the SHA-256 of it.
type certificateSaved struct {
	Certificates []certificateWas `json:"certificates"`
	// Keys are of a PFX's certificates, and Containers those that held one before; until Done, when all are in the store,
	// another container with one of them is what a killed helper left.
	Keys       []string `json:"keys,omitempty"`
	Containers []string `json:"containers,omitempty"`
	Done       bool     `json:"done,omitempty"`
}

type certificateWas struct {
	SHA256 string `json:"sha256"`
	Had    bool   `json:"had,omitempty"` // it was in the store before
}

func certificateID(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

func (certificateKind) apply(_ context.Context, s *step) error {
	store, err := openStore(s.layer.Certificate.Store)
	if err != nil {
		return err
	}
	defer store.close()
	from, forget, err := certificatesOf(s, windows.PKCS12_NO_PERSIST_KEY)
	if err != nil {
		return err
	}
	defer func() { forget() }()
	have, err := store.ids()
	if err != nil {
		return err
	}
	var saved certificateSaved
	for _, c := range from {
		id := certificateID(encoded(c))
		saved.Certificates = append(saved.Certificates, certificateWas{id, slices.Contains(have, id)})
	}
	src := s.layer.Certificate.Source
	pfx := src != nil && guestproto.IsPFX(src.Name)
	if pfx {
		for _, c := range from {
			saved.Keys = append(saved.Keys, publicKeyID(&c.CertInfo.SubjectPublicKeyInfo))
		}
		if saved.Containers, err = keyContainers(saved.Keys); err != nil {
			return err
		}
	}
	if err := s.save(saved); err != nil {
		return err
	}
	if pfx {
		// What undo needs is on disk: now with the keys, which Windows keeps from here on.
		forget()
		if from, forget, err = certificatesOf(s, windows.CRYPT_MACHINE_KEYSET); err != nil {
			return err
		}
	}
	for i, c := range from {
		if i < len(saved.Certificates) && saved.Certificates[i].Had {
			deleteKeyOf(c) // that of the certificate that is there serves
			continue
		}
		if err := windows.CertAddCertificateContextToStore(store.handle, c, windows.CERT_STORE_ADD_REPLACE_EXISTING, nil); err != nil {
			return fmt.Errorf("add the certificate to store %s: %w", store.name, err)
		}
	}
	saved.Done = true
	return s.save(saved)
}

func (certificateKind) undo(_ context.Context, s *step) error {
	var saved certificateSaved
	if ok, err := s.saved(&saved); !ok {
		return err
	}
	store, err := openStore(s.layer.Certificate.Store)
	if err != nil {
		return err
	}
	defer store.close()
	var ours []*windows.CertContext
	err = store.each(func(c *windows.CertContext) {
		if slices.Contains(saved.Certificates, certificateWas{SHA256: certificateID(encoded(c))}) {
			ours = append(ours, windows.CertDuplicateCertificateContext(c))
		}
	})
	for _, c := range ours {
		deleteKeyOf(c)
		if derr := windows.CertDeleteCertificateFromStore(c); derr != nil && err == nil { // it frees c
			err = fmt.Errorf("take the certificate out of store %s: %w", store.name, derr)
		}
	}
	if err != nil || saved.Done || len(saved.Keys) == 0 {
		return err
	}
	now, err := keyContainers(saved.Keys)
	for _, container := range now {
		if !slices.Contains(saved.Containers, container) {
			deleteContainer(container)
		}
	}
	return err
}

func (certificateKind) observe(_ context.Context, s *step) (d drift, err error) {
	var saved certificateSaved
	if ok, err := s.saved(&saved); !ok {
		return d, err
	}
	store, err := openStore(s.layer.Certificate.Store)
	if err != nil {
		return d, err
	}
	defer store.close()
	have, err := store.ids()
	if err != nil {
		return d, err
	}
	for _, c := range saved.Certificates {
		if !slices.Contains(have, c.SHA256) {
			d.say("the certificate with sha256 %.12s is no longer in store %s", c.SHA256, store.name)
			d.part("certificate in "+store.name, fmt.Sprintf("sha256:%.12s", c.SHA256), "")
		}
	}
	return d, nil
}

// certificatesOf gives what a layer brings. With PKCS12_NO_PERSIST_KEY nothing of a PFX's keys stays. Call forget
// when done with them.
func certificatesOf(s *step, flags uint32) (all []*windows.CertContext, forget func(), err error) {
	l := s.layer.Certificate
	var b []byte
	switch {
	case l.Content != nil:
		b = []byte(l.Content.Reveal())
	case l.Source != nil:
		path, err := s.cached(*l.Source)
		if err != nil {
			return nil, nil, err
		}
		if b, err = os.ReadFile(path); err != nil {
			return nil, nil, err
		}
	default:
		return nil, nil, errors.New("the certificate has no content and no source")
	}
	forget = func() {
		for _, c := range all {
			_ = windows.CertFreeCertificateContext(c) // it always succeeds
		}
	}
	if l.Source != nil && guestproto.IsPFX(l.Source.Name) {
		if all, err = importPFX(b, l.Password, flags); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", l.Source.Name, err)
		}
		return all, forget, nil
	}
	parsed, err := guestproto.Certificates(b)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range parsed {
		c, err := windows.CertCreateCertificateContext(windows.X509_ASN_ENCODING, &p.Raw[0], uint32(len(p.Raw)))
		if err != nil {
			forget()
			return nil, nil, err
		}
		all = append(all, c)
	}
	return all, forget, nil
}
