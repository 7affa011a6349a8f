package winrm

import (
	"errors"
	"fmt"
	"strings"
)

// What a caller may want to tell apart. A *Fault is one of these by its code.
var (
	// ErrOperationTimeout is how a long poll ends that had nothing to say.
	ErrOperationTimeout = errors.New("operation timed out")
	// ErrShellNotFound means that the shell or the command is gone: its time was up, someone
	// deleted it, or the machine was restarted.
	ErrShellNotFound = errors.New("the shell or command is gone")
	// ErrTooManyShells means that the user's quota of shells is used up.
	ErrTooManyShells = errors.New("too many shells")
	// ErrTooManyOperations means that the shell's quota is used up; a new shell has a new one.
	ErrTooManyOperations = errors.New("too many operations")
	// ErrSchema means that the machine took our message for malformed.
	ErrSchema = errors.New("message refused as malformed")
	// ErrAborted means that the machine gave the operation up.
	ErrAborted = errors.New("operation aborted")
	// ErrSendTimeout means that stdin was not taken in time, and nobody knows how much of it was.
	ErrSendTimeout = errors.New("stdin timed out")
	// ErrAccessDenied means that the user may not do this.
	ErrAccessDenied = errors.New("access denied")
	// ErrEnvelopeTooLarge means that a message was over the machine's limit.
	ErrEnvelopeTooLarge = errors.New("message over the machine's limit")

	// ErrLostAnswer means that a request may or may not have been carried out.
	ErrLostAnswer = errors.New("no answer arrived")
	// ErrBadAnswer means that what arrived is no answer of WS-Management.
	ErrBadAnswer = errors.New("not an answer of WS-Management")
	// ErrNotSealed means that a message came in the clear that had to be sealed, or that the machine
	// will not seal.
	ErrNotSealed = errors.New("not sealed")
	// ErrClosed means that the client was closed.
	ErrClosed = errors.New("winrm: closed")
)

// The codes of faults, as [MS-WSMV] appendix and winerror.h have them.
var faultCodes = map[uint32]error{
	2150858793: ErrOperationTimeout,
	2150858843: ErrShellNotFound,
	2150859173: ErrTooManyShells,
	2150859174: ErrTooManyOperations,
	2150858817: ErrSchema,
	995:        ErrAborted,
	1460:       ErrSendTimeout,
	5:          ErrAccessDenied,
}

// The same by SOAP subcode, for answers without a code.
var faultSubcodes = map[string]error{
	"TimedOut":              ErrOperationTimeout,
	"SchemaValidationError": ErrSchema,
	"AccessDenied":          ErrAccessDenied,
	"EncodingLimit":         ErrEnvelopeTooLarge,
}

// Fault is a fault that the machine answered with.
type Fault struct {
	// Code is WSManFault's; 0 where the fault has none.
	Code uint32
	// Subcode is SOAP's, without its prefix: "TimedOut".
	Subcode string
	Message string
	// Action is what was asked for: "Create", "Receive".
	Action string
}

func (f *Fault) Error() string {
	what := strings.Join(strings.Fields(f.Message), " ")
	if what == "" {
		what = f.Subcode
	}
	return fmt.Sprintf("%s: the machine answered with fault %d: %s%s", f.Action, f.Code, what, f.hint())
}

func (f *Fault) hint() string {
	switch {
	case errors.Is(f, ErrTooManyShells):
		return " (close other sessions of this user, or raise winrm/config/winrs MaxShellsPerUser)"
	case errors.Is(f, ErrAccessDenied):
		return " (the user must be an administrator of the machine or in its group Remote Management Users)"
	}
	return ""
}

// Is makes a fault the sentinel that its code, or else its subcode, stands for.
func (f *Fault) Is(target error) bool {
	if err, ok := faultCodes[f.Code]; ok {
		return target == err
	}
	return f.Code == 0 && faultSubcodes[f.Subcode] == target && target != nil
}

// HTTPError is an answer that says no and gives no fault to say why.
type HTTPError struct {
	Status int
	Action string
}

func (e *HTTPError) Error() string {
	hint := ""
	switch e.Status {
	case 404:
		hint = ": is this WinRM's port?"
	case 413:
		hint = ": the message is over the machine's MaxEnvelopeSizekb"
	case 503:
		hint = ": the WinRM service is starting, stopping or overloaded; try again"
	}
	return fmt.Sprintf("%s: the machine answered with HTTP status %d%s", e.Action, e.Status, hint)
}

// Is makes status 413 ErrEnvelopeTooLarge.
func (e *HTTPError) Is(target error) bool {
	return e.Status == 413 && target == ErrEnvelopeTooLarge
}

// AuthError means that the machine did not let the user in.
type AuthError struct {
	URL  string
	User string
	Auth string
	// Offered has what the machine would have accepted, in its own words: "Negotiate", "Basic".
	Offered []string
}

func (e *AuthError) Error() string {
	msg := fmt.Sprintf("%s did not let user %q in with %s authentication", e.URL, e.User, e.Auth)
	if e.offers() {
		return msg + ": check user and password; a user other than the built-in Administrator must be an administrator of the machine or in its group Remote Management Users"
	}
	if len(e.Offered) == 0 {
		return msg + " and offers none: is this WinRM's port?"
	}
	return fmt.Sprintf("%s: it offers only %s; set winrm's auth to one of them, or enable %s on the machine", msg, strings.Join(e.Offered, ", "), e.Auth)
}

func (e *AuthError) offers() bool {
	for _, o := range e.Offered {
		if strings.EqualFold(o, "Basic") && e.Auth == Basic || strings.EqualFold(o, "Negotiate") && e.Auth == NTLM {
			return true
		}
	}
	return false
}

// CertificateError means that the machine showed another certificate than the pinned one.
type CertificateError struct {
	URL       string
	Want, Got string
}

func (e *CertificateError) Error() string {
	return fmt.Sprintf("%s shows a certificate with fingerprint %s, and %s is pinned: if the machine got a new certificate, check it there (Get-ChildItem WSMan:\\localhost\\Listener) and pin the new fingerprint; otherwise someone may be in between",
		e.URL, e.Got, e.Want)
}
