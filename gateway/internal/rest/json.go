package rest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// strictJSON reads and writes proto JSON: lowerCamelCase, enums by name, zero values present, unknown fields refused.
type strictJSON struct{ runtime.JSONPb }

func newJSON() *strictJSON {
	return &strictJSON{runtime.JSONPb{
		MarshalOptions:   protojson.MarshalOptions{EmitUnpopulated: true},
		UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: false},
	}}
}

// NewDecoder reads one document. The decoder it replaces stops after the first value and so passes over whatever comes
// after it. An empty body is io.EOF, which generated code takes for a request without fields.
func (j *strictJSON) NewDecoder(r io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(target any) error {
		body, err := io.ReadAll(r)
		if err != nil {
			return errors.New("the body could not be read to its end")
		}
		if len(bytes.TrimSpace(body)) == 0 {
			return io.EOF
		}
		return j.Unmarshal(body, target)
	})
}

// Unmarshal reads one document into a request, or into the one field that a path takes as its body.
func (j *strictJSON) Unmarshal(body []byte, target any) error {
	var err error
	if message, ok := target.(proto.Message); ok {
		err = j.UnmarshalOptions.Unmarshal(body, message)
	} else {
		err = j.JSONPb.Unmarshal(body, target)
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("body: %s", readable(err))
}

// place is where protojson puts the position of a fault: in front of the fault.
var place = regexp.MustCompile(`^(?:syntax error )?\((line \d+:\d+)\): (.*)$`)

// readable takes the library's name off its errors and says what before where. Behind the name stands a space or a
// no-break space, by chance, so that nobody compares the text.
func readable(err error) string {
	text := strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\u00a0", " "), "proto: ")
	return place.ReplaceAllString(text, "$2 ($1)")
}

// contentTypeProblem says why a body cannot be read by its declared type; "" when it can, or when there is no body.
func contentTypeProblem(r *http.Request) string {
	if r.ContentLength == 0 {
		return ""
	}
	if declared := r.Header.Get("Content-Type"); !isJSON(declared) {
		if declared == "" {
			return "a body needs the header Content-Type: application/json"
		}
		return "a body must be JSON: send the header Content-Type: application/json"
	}
	if r.Header.Get("Content-Encoding") != "" {
		return "a body must be sent plain, without Content-Encoding"
	}
	return ""
}
