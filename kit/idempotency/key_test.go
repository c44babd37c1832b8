package idempotency

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
)

func TestARequestIsNamedByItsFieldOrElseByItsHeader(t *testing.T) {
	long := strings.Repeat("k", MaxKey)
	for name, c := range map[string]struct {
		field, want string
		headers     []string
		refused     bool
	}{
		"by neither":            {},
		"by the field":          {field: "f", want: "f"},
		"by the header":         {headers: []string{"h"}, want: "h"},
		"by both":               {field: "f", headers: []string{"h"}, want: "f"},
		"by one header twice":   {headers: []string{"h", "h"}, refused: true},
		"by no text":            {headers: []string{"a\x00"}, refused: true},
		"by two headers":        {headers: []string{"h", "i"}, refused: true},
		"by the longest":        {headers: []string{long}, want: long},
		"by one that is longer": {headers: []string{long + "k"}, refused: true},
	} {
		md := metadata.MD{}
		md.Append("idempotency-key", c.headers...)
		got, err := KeyFrom(metadata.NewIncomingContext(t.Context(), md), c.field)
		code, _, _ := rpcerr.Reason(err)
		if got != c.want || (code == codes.InvalidArgument) != c.refused {
			t.Errorf("named %s: %q, %v", name, got, err)
		}
	}
}
