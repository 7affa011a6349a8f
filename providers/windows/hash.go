package windows

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/envctl/envctl/internal/guestproto"
)

// HashLayers gives copies of the layers with their Hash set: each covers the layer and, through the hash
// before it, every one under it. Where a source lies on the host and how long a step may take make no
// difference to what the layer makes, and are left out.
func HashLayers(layers []guestproto.Layer) []guestproto.Layer {
	hashed := make([]guestproto.Layer, len(layers))
	previous := ""
	for i, l := range layers {
		body, err := json.Marshal(essence(l))
		if err != nil {
			panic(fmt.Sprintf("layer %s cannot be marshalled: %v", l.ID(), err)) // plain data: it always can
		}
		h := sha256.New()
		h.Write([]byte(previous + "\n"))
		h.Write(body)
		previous = hex.EncodeToString(h.Sum(nil))
		hashed[i] = l
		hashed[i].Hash, hashed[i].Parts = previous, parts(l)
	}
	return hashed
}

// essence is what of a layer makes it what it is. JSON writes maps in the order of their keys, so its text is one.
func essence(l guestproto.Layer) guestproto.Layer {
	l.Hash, l.Parts = "", nil
	if l.Package != nil {
		p := *l.Package
		p.Source, p.Timeout = content(p.Source), 0
		l.Package = &p
	}
	if l.Archive != nil {
		a := *l.Archive
		a.Source = content(a.Source)
		l.Archive = &a
	}
	if l.File != nil && l.File.Source != nil {
		f, s := *l.File, content(*l.File.Source)
		f.Source = &s
		l.File = &f
	}
	if l.Certificate != nil && l.Certificate.Source != nil {
		c, s := *l.Certificate, content(*l.Certificate.Source)
		c.Source = &s
		l.Certificate = &c
	}
	if l.Feature != nil {
		f := *l.Feature
		f.Timeout = 0
		l.Feature = &f
	}
	if l.Service != nil {
		s := *l.Service
		s.Timeout = 0
		l.Service = &s
	}
	if l.Script != nil {
		s := *l.Script
		s.Timeout = 0
		l.Script = &s
	}
	return l
}

// content is what counts of a source: the file's content, and by its extension how it is installed. The same file under
// another name or URL is the same.
func content(s guestproto.Source) guestproto.Source {
	return guestproto.Source{SHA256: s.SHA256, Name: strings.ToLower(path.Ext(s.Name))}
}
