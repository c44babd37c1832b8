package obs

import "context"

type requestIDKey struct{}

// WithRequestID notes the id of the request that ctx belongs to.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID is the id of the request, "" outside of one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// maxRequestID is more than a UUID or a trace id takes.
const maxRequestID = 64

// PlainRequestID says whether a request id that somebody else chose is taken over: up to 64 letters, digits and -_.:,
// so that it can forge no log line. The gateway and the services ask this one rule, or an id would change on its way.
func PlainRequestID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for _, r := range id {
		switch {
		case 'A' <= r && r <= 'Z', 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '.', r == '_', r == '-', r == ':':
		default:
			return false
		}
	}
	return true
}
