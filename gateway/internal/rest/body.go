package rest

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
)

// payload is what a route takes as its body.
//
// protojson accepts more than the contract promises: names of the .proto beside those of JSON, numbers for enums, and
// fields that the path says already, which it would overwrite in silence. Bodies are judged here first, as queries are;
// what is simply no JSON, or not of the contract, is left to protojson, which words it well.
type payload struct {
	message protoreflect.MessageDescriptor // nil: the route takes no body
	bound   map[string]bool                // fields of the message that stand in the path
}

// bufferBody reads the whole body, so that it can be judged here and read again by the router.
func bufferBody(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, err
}

// check answers everything in a body that protojson would take and the contract does not have.
func (p payload) check(body []byte) []rpcerr.Field {
	if p.message == nil {
		return nil
	}
	return checkMessage(p.message, body, "", p.bound)
}

func checkMessage(message protoreflect.MessageDescriptor, raw json.RawMessage, prefix string, bound map[string]bool) []rpcerr.Field {
	object := map[string]json.RawMessage{}
	if json.Unmarshal(raw, &object) != nil {
		return nil // protojson says what is wrong
	}
	var faults []rpcerr.Field
	for _, name := range slices.Sorted(maps.Keys(object)) {
		field := message.Fields().ByJSONName(name)
		spelled := field != nil
		if !spelled {
			field = message.Fields().ByTextName(name)
		}
		switch {
		case field == nil: // protojson says that it is unknown
		case bound[string(field.Name())]:
			faults = append(faults, rpcerr.Field{Path: prefix + name, Description: "stands in the path; leave it out of the body"})
		case !spelled:
			faults = append(faults, rpcerr.Field{Path: prefix + name, Description: "no such field; did you mean " + field.JSONName() + "?"})
		default:
			faults = append(faults, checkField(field, object[name], prefix+name)...)
		}
	}
	return faults
}

func checkField(field protoreflect.FieldDescriptor, raw json.RawMessage, path string) (faults []rpcerr.Field) {
	switch {
	case field.IsMap():
		object := map[string]json.RawMessage{}
		_ = json.Unmarshal(raw, &object) // protojson says what is wrong
		for _, key := range slices.Sorted(maps.Keys(object)) {
			faults = append(faults, checkValue(field.MapValue(), object[key], path+"["+strconv.Quote(printable(key))+"]")...)
		}
	case field.IsList():
		var list []json.RawMessage
		_ = json.Unmarshal(raw, &list) // protojson says what is wrong
		for i, element := range list {
			faults = append(faults, checkValue(field, element, path+"["+strconv.Itoa(i)+"]")...)
		}
	default:
		faults = checkValue(field, raw, path)
	}
	return faults
}

func checkValue(field protoreflect.FieldDescriptor, raw json.RawMessage, path string) []rpcerr.Field {
	switch {
	case field.Enum() != nil && isNumber(raw):
		return []rpcerr.Field{{Path: path, Description: "must be one of " + strings.Join(enumNames(field.Enum()), ", ")}}
	case field.Message() != nil && !strings.HasPrefix(string(field.Message().FullName()), "google.protobuf."):
		return checkMessage(field.Message(), raw, path+".", nil)
	default:
		return nil
	}
}

func isNumber(raw json.RawMessage) bool {
	return len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9')
}
