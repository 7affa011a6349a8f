package sandbox

import "strconv"

// resourceConfig is the service's own configuration, which administrators may read: by it a client
// learns how large its envelopes may be ([MS-WSMV] 2.2.4.7).
const (
	resourceConfig = "http://schemas.microsoft.com/wbem/wsman/1/config"
	actionGet      = nsXfer + "/Get"
)

// configAnswer tells as much of the configuration as the server has.
func (s *Server) configAnswer(r *request) ([]byte, error) {
	if r.action != actionGet {
		return nil, faultAction(r.action)
	}
	return answer(r, actionGet+"Response", prefixTransfer, `<cfg:Config xmlns:cfg="`+resourceConfig+`">`+
		`<cfg:MaxEnvelopeSizekb>`+strconv.Itoa(s.limits.Envelope>>10)+`</cfg:MaxEnvelopeSizekb>`+
		`<cfg:MaxTimeoutms>60000</cfg:MaxTimeoutms></cfg:Config>`), nil
}
