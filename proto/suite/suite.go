// Package suite is what every service of the suite answers and asks in the same way: the system report, the audit trail on the wire, the keys that
// user tokens are verified with.
//
// It owns the way from kit to the contract for these, so that it is written once and not once per service. It never holds anything of a domain:
// what differs between two services does not belong here.
//
// Start reading at [System].
package suite

import (
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Services lists the services of contract files, for the permissions and the retries that are read from them.
func Services(files ...protoreflect.FileDescriptor) []protoreflect.ServiceDescriptor {
	var list []protoreflect.ServiceDescriptor
	for _, file := range files {
		for i := range file.Services().Len() {
			list = append(list, file.Services().Get(i))
		}
	}
	return list
}
