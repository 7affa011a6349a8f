package sandbox

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"crypto/rand"
	"encoding/hex"
)

// Actions of [MS-WSMV] 3.1.4 and WS-Transfer.
const (
	actionCreate  = nsXfer + "/Create"
	actionDelete  = nsXfer + "/Delete"
	actionCommand = nsShell + "/Command"
	actionSend    = nsShell + "/Send"
	actionReceive = nsShell + "/Receive"
	actionSignal  = nsShell + "/Signal"
	actionFault   = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"

	resourceCmd = nsShell + "/cmd"
	anonymous   = nsAddr + "/role/anonymous"
)

// defaultOperationTimeout holds where a request has no OperationTimeout.
const defaultOperationTimeout = 60 * time.Second

// request is a parsed envelope.
type request struct {
	action      string
	messageID   string
	to          string
	resource    string
	selectors   map[string]string
	options     map[string]string
	maxEnvelope int
	timeout     time.Duration
	body        *element
	identify    bool
	client      string // the client's IP address
	user        string // as it authenticated
}

// parseRequest reads an envelope. Its error is always a *fault.
func parseRequest(data []byte) (*request, error) {
	root, err := parseXML(decodeUTF16(data))
	if err != nil {
		return nil, faultSchema(err.Error())
	}
	if root.name.Space != nsSOAP || root.name.Local != "Envelope" {
		return nil, faultSchema("the document is not a SOAP 1.2 envelope")
	}
	header, body := root.child(nsSOAP, "Header"), root.child(nsSOAP, "Body")
	if body == nil {
		return nil, faultSchema("the envelope has no body")
	}
	r := &request{
		action:    header.child(nsAddr, "Action").value(),
		messageID: header.child(nsAddr, "MessageID").value(),
		to:        header.child(nsAddr, "To").value(),
		resource:  header.child(nsWSMan, "ResourceURI").value(),
		selectors: map[string]string{},
		options:   map[string]string{},
		body:      body,
		timeout:   defaultOperationTimeout,
		identify:  body.child(nsID, "Identify") != nil,
	}
	if r.identify {
		return r, nil
	}
	if r.action == "" || r.messageID == "" {
		return r, faultSchema("the header lacks Action or MessageID")
	}
	collect(r.selectors, header.child(nsWSMan, "SelectorSet"), "Selector")
	collect(r.options, header.child(nsWSMan, "OptionSet"), "Option")
	if v := header.child(nsWSMan, "MaxEnvelopeSize").value(); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < minEnvelope {
			return r, faultSchema("MaxEnvelopeSize is out of range")
		}
		r.maxEnvelope = n
	}
	if v := header.child(nsWSMan, "OperationTimeout").value(); v != "" {
		if r.timeout, err = parseDuration(v); err != nil {
			return r, faultSchema("OperationTimeout: " + err.Error())
		}
	}
	return r, nil
}

// minEnvelope is the smallest MaxEnvelopeSize that a client may ask for, in bytes.
const minEnvelope = 8192

func collect(into map[string]string, set *element, local string) {
	if set == nil {
		return
	}
	for _, c := range set.children {
		if c.name.Space == nsWSMan && c.name.Local == local {
			into[c.attr("Name")] = c.value()
		}
	}
}

// option gives a boolean option of the request, which Windows compares without case.
func (r *request) option(name string) bool {
	return strings.EqualFold(r.options[name], "TRUE") || r.options[name] == "1"
}

// prefixes are what a real server declares on each kind of answer.
type prefixes string

const (
	prefixTransfer prefixes = `xmlns:x="` + nsXfer + `" xmlns:w="` + nsWSMan + `" xmlns:rsp="` + nsShell + `" xmlns:p="` + nsMS + `"`
	prefixReceive  prefixes = `xmlns:w="` + nsWSMan + `" xmlns:rsp="` + nsShell + `" xmlns:p="` + nsMS + `"`
	prefixDelete   prefixes = `xmlns:w="` + nsWSMan + `" xmlns:p="` + nsMS + `"`
	prefixFault    prefixes = `xmlns:x="` + nsXfer + `" xmlns:e="` + nsEvent + `" xmlns:n="` + nsEnum + `" xmlns:w="` + nsWSMan + `" xmlns:p="` + nsMS + `"`
)

// openEnvelope begins an answer to r, up to and with the body's start tag.
func openEnvelope(b *bytes.Buffer, r *request, action string, p prefixes) {
	b.WriteString(`<s:Envelope xml:lang="en-US" xmlns:s="` + nsSOAP + `" xmlns:a="` + nsAddr + `" `)
	b.WriteString(string(p))
	b.WriteString(`><s:Header><a:Action>` + action + `</a:Action><a:MessageID>uuid:` + newID() + `</a:MessageID><a:To>` + anonymous + `</a:To>`)
	if r != nil && r.messageID != "" {
		b.WriteString(`<a:RelatesTo>` + escape(r.messageID) + `</a:RelatesTo>`)
	}
	b.WriteString(`</s:Header><s:Body>`)
}

func closeEnvelope(b *bytes.Buffer) { b.WriteString(`</s:Body></s:Envelope>`) }

// answer is an envelope around body.
func answer(r *request, action string, p prefixes, body string) []byte {
	var b bytes.Buffer
	openEnvelope(&b, r, action, p)
	b.WriteString(body)
	closeEnvelope(&b)
	return b.Bytes()
}

// identifyAnswer is the answer to wsmid:Identify (DSP0226, section 11). Without authentication
// a server does not tell its versions.
func identifyAnswer(authenticated bool) []byte {
	version := "OS: 0.0.0 SP: 0.0 Stack: 3.0"
	if authenticated {
		version = "OS: 10.0.19043 SP: 0.0 Stack: 3.0"
	}
	return []byte(`<s:Envelope xml:lang="en-US" xmlns:s="` + nsSOAP + `"><s:Header/><s:Body><wsmid:IdentifyResponse xmlns:wsmid="` + nsID + `">` +
		`<wsmid:ProtocolVersion>` + nsWSMan + `</wsmid:ProtocolVersion><wsmid:ProductVendor>Microsoft Corporation</wsmid:ProductVendor>` +
		`<wsmid:ProductVersion>` + version + `</wsmid:ProductVersion></wsmid:IdentifyResponse></s:Body></s:Envelope>`)
}

// newID makes a random identifier in the form that shells and commands have.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := strings.ToUpper(hex.EncodeToString(b[:]))
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
