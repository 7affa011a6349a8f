package sandbox

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Namespaces of WS-Management envelopes.
const (
	nsSOAP  = "http://www.w3.org/2003/05/soap-envelope"
	nsAddr  = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
	nsXfer  = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
	nsWSMan = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
	nsMS    = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"
	nsShell = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
	nsID    = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
	nsFault = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
	nsEvent = "http://schemas.xmlsoap.org/ws/2004/08/eventing"
	nsEnum  = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
)

// element is one XML element with its text (CDATA included) and children.
type element struct {
	name     xml.Name
	attrs    []xml.Attr
	text     []byte
	children []*element
}

// maxDepth bounds nesting, so that a hostile envelope cannot use the memory up.
const maxDepth = 32

var errDepth = errors.New("elements nest too deep")

// parseXML reads one document. Document types are refused, so no entity can expand.
func parseXML(data []byte) (*element, error) {
	data, blobs := liftBlobs(data)
	dec := xml.NewDecoder(bytes.NewReader(data))
	var root *element
	var stack []*element
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading XML: %w", err)
		}
		switch t := tok.(type) {
		case xml.Directive:
			return nil, errors.New("document types are not accepted")
		case xml.StartElement:
			e := &element{name: t.Name, attrs: append([]xml.Attr(nil), t.Attr...)}
			e.text = blobs[dec.InputOffset()]
			if len(stack) == maxDepth {
				return nil, errDepth
			}
			if len(stack) > 0 {
				top := stack[len(stack)-1]
				top.children = append(top.children, e)
			} else if root == nil {
				root = e
			}
			stack = append(stack, e)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 0 {
				top := stack[len(stack)-1]
				top.text = append(top.text, t...)
			}
		}
	}
	if root == nil {
		return nil, errors.New("no XML element")
	}
	return root, nil
}

// blobMin is the length from which base64 is worth taking out before parsing.
const blobMin = 4 << 10

// liftBlobs takes long runs of base64 that are an element's whole text out of a document:
// encoding/xml reads text a byte at a time, which would bound the speed of Send. The blobs
// are keyed by the offset, in the shorter document, at which their element's start tag ends.
func liftBlobs(data []byte) ([]byte, map[int64][]byte) {
	if len(data) < blobMin || bytes.Contains(data, []byte("<!")) { // inside CDATA '>' ends no tag
		return data, nil
	}
	var out []byte
	blobs := map[int64][]byte{}
	rest := data
	for {
		gt := bytes.IndexByte(rest, '>')
		if gt < 0 {
			break
		}
		body := rest[gt+1:]
		lt := bytes.IndexByte(body, '<')
		if lt < 0 {
			break
		}
		out = append(out, rest[:gt+1]...)
		whole := gt > 0 && rest[gt-1] != '/' && lt+1 < len(body) && body[lt+1] == '/'
		if run := body[:lt]; lt >= blobMin && whole && isBase64(run) {
			blobs[int64(len(out))] = run
		} else {
			out = append(out, run...)
		}
		rest = body[lt:]
	}
	return append(out, rest...), blobs
}

func isBase64(b []byte) bool {
	for _, c := range b {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '+' || c == '/' || c == '=') {
			return false
		}
	}
	return true
}

// child gives the first child of that name, or nil; it may be called on nil.
func (e *element) child(space, local string) *element {
	if e == nil {
		return nil
	}
	for _, c := range e.children {
		if c.name.Space == space && c.name.Local == local {
			return c
		}
	}
	return nil
}

// value gives the element's text without surrounding space; "" on nil.
func (e *element) value() string {
	if e == nil {
		return ""
	}
	return strings.TrimSpace(string(e.text))
}

// attr gives the value of an attribute, whatever its namespace.
func (e *element) attr(local string) string {
	if e == nil {
		return ""
	}
	for _, a := range e.attrs {
		if a.Name.Local == local {
			return a.Value
		}
	}
	return ""
}

// escape makes a string fit for XML text and attribute values.
func escape(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return ""
	}
	return b.String()
}
