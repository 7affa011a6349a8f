package winrm

import (
	"crypto/rand"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/masterzen/simplexml/dom"
	"github.com/masterzen/winrm/soap"
)

const (
	actionGet     = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get"
	actionCreate  = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Create"
	actionDelete  = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Delete"
	actionCommand = soap.NS_WIN_SHELL + "/Command"
	actionSend    = soap.NS_WIN_SHELL + "/Send"
	actionReceive = soap.NS_WIN_SHELL + "/Receive"
	actionSignal  = soap.NS_WIN_SHELL + "/Signal"

	resourceCmd    = soap.NS_WIN_SHELL + "/cmd"
	resourceConfig = "http://schemas.microsoft.com/wbem/wsman/1/config"
	anonymous      = soap.NS_ADDRESSING + "/role/anonymous"

	nsIdentity = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
)

// Limits on an envelope, in bytes. Requests keep to the small one until the machine's own
// configuration shows the large one; answers may be large from the start.
const (
	smallEnvelope = 150 << 10
	largeEnvelope = 500 << 10
)

// request is a message that is being put together. masterzen's builders write what they are given
// as it is, so whatever goes in goes through escape.
type request struct {
	action  string // the last word of its URI, for errors
	message *soap.SoapMessage
}

type requestOptions struct {
	to, action, resource, shell string
	options                     [][2]string
	timeout                     time.Duration
	envelope                    int
}

func newRequest(o requestOptions) *request {
	m := soap.NewMessage()
	h := m.Header().
		To(escape(o.to)).
		ReplyTo(anonymous).
		MaxEnvelopeSize(o.envelope).
		Id(newID()).
		Locale("en-US").
		Timeout(duration(o.timeout)).
		Action(o.action).
		ResourceURI(o.resource)
	if o.shell != "" {
		h = h.ShellId(escape(o.shell))
	}
	for _, opt := range o.options {
		h = h.AddOption(soap.NewHeaderOption(opt[0], escape(opt[1])))
	}
	h.Build()
	return &request{action: lastWord(o.action), message: m}
}

// body adds the body's only element. A request without one still has an empty Body.
func (r *request) body(name string) *dom.Element {
	return r.message.CreateBodyElement(name, soap.DOM_NS_WIN_SHELL)
}

func (r *request) child(parent *dom.Element, name, content string) *dom.Element {
	e := r.message.CreateElement(parent, name, soap.DOM_NS_WIN_SHELL)
	e.SetContent(escape(content))
	return e
}

func (r *request) bytes() []byte { return []byte(r.message.String()) }

// escape makes any text fit to stand in an element or a quoted attribute. What XML cannot hold at
// all (a NUL, say) becomes U+FFFD, as encoding/xml has it.
func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}

// newID gives a message id: a random UUID of version 4.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("uuid:%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// duration writes d as XML Schema has it. A bare number is a fault on real machines.
func duration(d time.Duration) string {
	return "PT" + strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "S"
}

func lastWord(uri string) string { return uri[strings.LastIndexByte(uri, '/')+1:] }

// identifyRequest asks who is there (DSP0226 11: Identify). It has no headers at all.
func identifyRequest() []byte {
	return []byte(`<s:Envelope xmlns:s="` + soap.NS_SOAP_ENV + `" xmlns:i="` + nsIdentity + `"><s:Header/><s:Body><i:Identify/></s:Body></s:Envelope>`)
}
