package auth

// Reason says why a caller was refused, in the spelling of access.v1.ErrorReason in the contract (a test in proto/access
// holds them equal). Programs compare it, people read the text.
type Reason string

// The reasons. A client refreshes its token on TokenExpired and asks the person to log in on TokenMissing and TokenInvalid.
const (
	TokenMissing     Reason = "TOKEN_MISSING"     // the method is not for anonymous callers
	TokenInvalid     Reason = "TOKEN_INVALID"     // never good, or not for us; the flaw says which
	TokenExpired     Reason = "TOKEN_EXPIRED"     // its time is over
	KeysUnavailable  Reason = "KEYS_UNAVAILABLE"  // no verification key could be had yet: try again
	PermissionDenied Reason = "PERMISSION_DENIED" // known, and not allowed
)

// String is the reason as it stands on the wire.
func (r Reason) String() string { return string(r) }

// Flaw tells one invalid token from another, for logs and for who debugs a client. Clients need not care.
type Flaw string

// The flaws of a token.
const (
	FlawOversized   Flaw = "OVERSIZED"     // longer than MaxTokenBytes; not even parsed
	FlawForm        Flaw = "FORM"          // not a signed token at all
	FlawAlgorithm   Flaw = "ALGORITHM"     // signed otherwise than EdDSA or HS256; "none" is one of these
	FlawKey         Flaw = "KEY"           // no kid, or one that nobody published
	FlawSignature   Flaw = "SIGNATURE"     // tampered with, or a payload that is no JSON
	FlawIssuer      Flaw = "ISSUER"        // made by somebody else
	FlawAudience    Flaw = "AUDIENCE"      // made for somebody else
	FlawNotYetValid Flaw = "NOT_YET_VALID" // its time has not come, or it was issued in the future
	FlawLifetime    Flaw = "LIFETIME"      // it would live longer than its kind may
	FlawClaims      Flaw = "CLAIMS"        // a claim it must have is missing
	FlawPeer        Flaw = "PEER"          // the service it names is not the one in the certificate
)

// Refusal is the error of a caller who was not let in.
type Refusal struct {
	Reason Reason
	Flaw   Flaw  // of a TokenInvalid
	Cause  error // for the log; nil when reason and flaw say it all
}

func invalid(flaw Flaw, cause error) *Refusal {
	return &Refusal{Reason: TokenInvalid, Flaw: flaw, Cause: cause}
}

// Error is for the caller to read: what is wrong and what to do, without the token or the parser's words.
func (r *Refusal) Error() string {
	switch r.Reason {
	case TokenMissing:
		return "this method needs a token: log in, then send it as authorization: Bearer …"
	case TokenExpired:
		return "the token has expired: refresh it or log in again"
	case KeysUnavailable:
		return "tokens cannot be verified at the moment; please try again"
	case PermissionDenied:
		return "you are not allowed to do this"
	case TokenInvalid: // what is wrong with it follows
	}
	switch r.Flaw {
	case FlawAudience:
		return "the token is meant for another service"
	case FlawNotYetValid:
		return "the token is not valid yet: compare the clocks"
	case FlawPeer:
		return "the token names another service than the certificate"
	default:
		return "the token is not valid: log in again"
	}
}

// Unwrap is the cause.
func (r *Refusal) Unwrap() error { return r.Cause }
