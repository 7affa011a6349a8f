package winrm

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/masterzen/winrm/soap"
)

// answer is what any of the machine's answers may hold.
type answer struct {
	action    string
	fault     *Fault
	shellID   string
	commandID string
	chunks    []chunk
	done      bool
	exitCode  *int32
	identity  Identity
	// envelopeKB is the machine's limit on our messages, from its configuration.
	envelopeKB int
}

// chunk is a piece of a command's output.
type chunk struct {
	stream string
	data   []byte
	end    bool
}

const (
	stateDone  = soap.NS_WIN_SHELL + "/CommandState/Done"
	nsConfig   = "http://schemas.microsoft.com/wbem/wsman/1/config"
	maxAnswer  = 4 << 20 // bytes; eight times what we allow the machine
	maxElement = 64      // depth
)

// cursor feeds an XML decoder and can jump: the decoder reads one byte at a time from an
// io.ByteReader and never ahead, so that output, which is nearly all of a message, need not pass it.
type cursor struct {
	b   []byte
	pos int
}

func (c *cursor) ReadByte() (byte, error) {
	if c.pos >= len(c.b) {
		return 0, io.EOF
	}
	c.pos++
	return c.b[c.pos-1], nil
}

func (c *cursor) Read(p []byte) (int, error) {
	if c.pos >= len(c.b) {
		return 0, io.EOF
	}
	n := copy(p, c.b[c.pos:])
	c.pos += n
	return n, nil
}

// text takes the text from here to the next tag when it stands there as it is.
func (c *cursor) text() ([]byte, bool) {
	n := bytes.IndexByte(c.b[c.pos:], '<')
	if n < 0 || bytes.HasPrefix(c.b[c.pos+n:], []byte("<!")) {
		return nil, false
	}
	t := c.b[c.pos : c.pos+n]
	if bytes.IndexByte(t, '&') >= 0 {
		return nil, false
	}
	c.pos += n
	return t, true
}

// decode takes an answer apart. Its error is ErrBadAnswer; a fault is no error here.
func decode(body []byte) (*answer, error) {
	a, err := (&decoder{}).run(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadAnswer, err)
	}
	return a, nil
}

type decoder struct {
	a     answer
	fault Fault
	path  []xml.Name
	text  []byte
	chunk *chunk
}

func (d *decoder) run(body []byte) (*answer, error) {
	cur := &cursor{b: body}
	x := xml.NewDecoder(cur)
	for {
		tok, err := x.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if len(d.path) == 0 && t.Name != (xml.Name{Space: soap.NS_SOAP_ENV, Local: "Envelope"}) {
				return nil, fmt.Errorf("a document of %s", t.Name.Local)
			}
			if len(d.path) >= maxElement {
				return nil, errors.New("nested too deep")
			}
			d.path = append(d.path, t.Name)
			d.text = d.text[:0]
			d.start(t)
			if d.chunk != nil {
				if text, ok := cur.text(); ok {
					d.text = append(d.text, text...)
				}
			}
		case xml.CharData:
			d.text = append(d.text, t...)
		case xml.EndElement:
			if err := d.end(t.Name); err != nil {
				return nil, err
			}
			d.path = d.path[:len(d.path)-1]
			d.text = d.text[:0]
		}
	}
	if d.path == nil {
		return nil, errors.New("empty")
	}
	if d.a.fault != nil {
		*d.a.fault = d.fault
	}
	return &d.a, nil
}

func (d *decoder) start(t xml.StartElement) {
	switch t.Name {
	case xml.Name{Space: soap.NS_SOAP_ENV, Local: "Fault"}:
		d.a.fault = &Fault{}
	case xml.Name{Space: soap.NS_WSMAN_FAULT, Local: "WSManFault"}:
		d.a.fault = &Fault{}
		// A provider's fault stands inside WinRM's own, whose code is the one that counts.
		if n, err := strconv.ParseInt(attr(t, "Code"), 10, 64); err == nil && d.fault.Code == 0 {
			d.fault.Code = uint32(n) //nolint:gosec // some write it signed
		}
	case xml.Name{Space: soap.NS_WIN_SHELL, Local: "Stream"}:
		d.chunk = &chunk{stream: attr(t, "Name"), end: strings.EqualFold(attr(t, "End"), "true")}
	case xml.Name{Space: soap.NS_WIN_SHELL, Local: "CommandState"}:
		d.a.done = d.a.done || attr(t, "State") == stateDone
	}
}

func (d *decoder) end(name xml.Name) error {
	text := strings.TrimSpace
	switch name.Space {
	case soap.NS_ADDRESSING:
		if name.Local == "Action" {
			d.a.action = text(string(d.text))
		}
	case soap.NS_SOAP_ENV:
		d.endSOAP(name.Local)
	case soap.NS_WSMAN_FAULT:
		if name.Local == "Message" && len(bytes.TrimSpace(d.text)) > 0 {
			d.fault.Message = text(string(d.text))
		}
	case soap.NS_WIN_SHELL:
		return d.endShell(name.Local)
	case nsIdentity:
		d.a.identity.set(name.Local, text(string(d.text)))
	case nsConfig:
		if name.Local == "MaxEnvelopeSizekb" {
			d.a.envelopeKB, _ = strconv.Atoi(text(string(d.text)))
		}
	}
	return nil
}

func (d *decoder) endSOAP(local string) {
	value := strings.TrimSpace(string(d.text))
	switch {
	case local == "Value" && d.inside("Subcode"):
		d.fault.Subcode = value[strings.LastIndexByte(value, ':')+1:]
	case local == "Text" && d.inside("Reason") && d.fault.Message == "":
		d.fault.Message = value
	}
}

// inside reports whether the element that ends is right inside one of that name.
func (d *decoder) inside(local string) bool {
	return len(d.path) >= 2 && d.path[len(d.path)-2].Local == local
}

func (d *decoder) endShell(local string) error {
	switch local {
	case "ShellId":
		d.a.shellID = strings.TrimSpace(string(d.text))
	case "CommandId":
		d.a.commandID = strings.TrimSpace(string(d.text))
	case "Stream":
		if d.chunk == nil {
			return errors.New("a stream in a stream")
		}
		c := *d.chunk
		d.chunk = nil
		src := bytes.TrimSpace(d.text)
		c.data = make([]byte, base64.StdEncoding.DecodedLen(len(src)))
		n, err := base64.StdEncoding.Decode(c.data, src)
		if err != nil {
			return fmt.Errorf("output that is no base64: %w", err)
		}
		c.data = c.data[:n]
		d.a.chunks = append(d.a.chunks, c)
	case "ExitCode":
		code, err := exitCode(strings.TrimSpace(string(d.text)))
		if err != nil {
			return err
		}
		d.a.exitCode = &code
	}
	return nil
}

// exitCode reads an exit code, which machines write unsigned or signed. Windows' own commands mean
// -1 by 4294967295.
func exitCode(s string) (int32, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < -1<<31 || n >= 1<<32 {
		return 0, fmt.Errorf("exit code %.40q", s)
	}
	return int32(uint32(n)), nil //nolint:gosec // the wrap is what is wanted
}

func attr(t xml.StartElement, local string) string {
	for _, a := range t.Attr {
		if a.Name.Local == local {
			return a.Value
		}
	}
	return ""
}
