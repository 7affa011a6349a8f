package sandbox

import (
	"fmt"
	"net/http"
	"strconv"
)

// Codes of f:WSManFault, in the decimal form in which they travel (wsmerror.h).
const (
	CodeAborted          = 995        // ERROR_OPERATION_ABORTED
	CodeSendTimedOut     = 1460       // ERROR_TIMEOUT
	CodeAccessDenied     = 5          // ERROR_ACCESS_DENIED
	CodeBadAction        = 2150858753 // ERROR_WSMAN_INVALID_ACTIONURI
	CodeOperationTimeout = 2150858793 // ERROR_WSMAN_OPERATION_TIMEDOUT
	CodeResourceURI      = 2150858811 // ERROR_WSMAN_INVALID_RESOURCE_URI
	CodeSchema           = 2150858817 // ERROR_WSMAN_SCHEMA_VALIDATION_ERROR
	CodeUnsupported      = 2150858818 // ERROR_WSMAN_UNSUPPORTED_FEATURE
	CodeNotFound         = 2150858843 // ERROR_WSMAN_UNEXPECTED_SELECTORS
	CodeTooManyShells    = 2150859173 // ERROR_WSMAN_QUOTA_MAX_SHELLS
	CodeTooManyOps       = 2150859174 // ERROR_WSMAN_QUOTA_MAX_OPERATIONS
)

// fault is an answer that says no.
type fault struct {
	status  int // of HTTP; 0 is 500
	value   string
	subcode string
	reason  string
	code    uint32
}

func (f *fault) Error() string { return fmt.Sprintf("fault %d: %s", f.code, f.reason) }

func (f *fault) httpStatus() int {
	if f.status == 0 {
		return http.StatusInternalServerError
	}
	return f.status
}

func faultTimeout() *fault {
	return &fault{value: "s:Receiver", subcode: "w:TimedOut", code: CodeOperationTimeout,
		reason: "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.  "}
}

func faultSendTimeout() *fault {
	return &fault{value: "s:Receiver", subcode: "w:InternalError", code: CodeSendTimedOut,
		reason: "This operation returned because the timeout period expired. Part of the input may have been taken. "}
}

func faultAborted() *fault {
	return &fault{value: "s:Receiver", subcode: "w:InternalError", code: CodeAborted,
		reason: "The I/O operation has been aborted because of either a thread exit or an application request. "}
}

func faultSchema(detail string) *fault {
	return &fault{value: "s:Sender", subcode: "w:SchemaValidationError", code: CodeSchema,
		reason: "The SOAP XML in the message does not match the corresponding XML schema definition. " + detail}
}

func faultNotFound(what, id string) *fault {
	return &fault{value: "s:Sender", subcode: "w:InvalidSelectors", code: CodeNotFound,
		reason: fmt.Sprintf("The request for the Windows Remote Shell with %s %s failed because it was not found on the server. "+
			"Possible causes: the identifier is wrong, or the shell or command no longer exists there.", what, id)}
}

func faultTooManyShells(max int) *fault {
	return &fault{value: "s:Receiver", subcode: "w:QuotaLimit", code: CodeTooManyShells,
		reason: fmt.Sprintf("The maximum number of concurrent shells for this user (%d) has been reached. Close existing shells or raise MaxShellsPerUser.", max)}
}

func faultTooManyOps(max int) *fault {
	return &fault{value: "s:Receiver", subcode: "w:QuotaLimit", code: CodeTooManyOps,
		reason: fmt.Sprintf("The maximum number of concurrent operations for this user (%d) has been reached. Delete shells or raise the quota.", max)}
}

func faultAction(action string) *fault {
	return &fault{value: "s:Sender", subcode: "a:ActionNotSupported", code: CodeBadAction,
		reason: fmt.Sprintf("The WS-Addressing action URI %q is invalid for this resource.", action)}
}

func faultResource(uri string) *fault {
	return &fault{value: "s:Sender", subcode: "a:DestinationUnreachable", code: CodeResourceURI,
		reason: fmt.Sprintf("The resource URI %q is not served here: the sandbox has the cmd shell only.", uri)}
}

func faultSignal(code string) *fault {
	return &fault{value: "s:Sender", subcode: "w:UnsupportedFeature", code: CodeUnsupported,
		reason: fmt.Sprintf("The signal code %q is not supported.", code)}
}

func faultAccess(reason string) *fault {
	return &fault{value: "s:Sender", subcode: "w:AccessDenied", code: CodeAccessDenied, reason: reason}
}

func faultInternal(err error) *fault {
	return &fault{value: "s:Receiver", subcode: "w:InternalError", code: 0x80070000 | 31, reason: err.Error()}
}

// envelope renders the fault in answer to r, which may be nil.
func (f *fault) envelope(r *request, machine string) []byte {
	text := escape(f.reason)
	return answer(r, actionFault, prefixFault,
		`<s:Fault><s:Code><s:Value>`+f.value+`</s:Value><s:Subcode><s:Value>`+f.subcode+`</s:Value></s:Subcode></s:Code>`+
			`<s:Reason><s:Text xml:lang="en-US">`+text+`</s:Text></s:Reason>`+
			`<s:Detail><f:WSManFault xmlns:f="`+nsFault+`" Code="`+strconv.FormatUint(uint64(f.code), 10)+`" Machine="`+escape(machine)+`">`+
			`<f:Message>`+text+`</f:Message></f:WSManFault></s:Detail></s:Fault>`)
}
