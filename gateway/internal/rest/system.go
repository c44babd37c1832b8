package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	systemv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/system/v1"
)

// systemDeadline is how long each service may take to describe itself: who looks wants to see who is down, now.
const systemDeadline = 2 * time.Second

// systemReport is the answer of GET /api/v1/admin/system.
type systemReport struct {
	Gateway  gatewayReport   `json:"gateway"`
	Services []serviceReport `json:"services"`
}

type gatewayReport struct {
	Version   string    `json:"version"`
	StartedAt time.Time `json:"startedAt"`
}

// serviceReport is one service as it sees itself, or why it could not be asked.
type serviceReport struct {
	Service   string          `json:"service"`
	Reachable bool            `json:"reachable"`
	Problem   string          `json:"problem"`          // reason or code; empty when reachable
	System    json.RawMessage `json:"system,omitempty"` // a GetSystemResponse
}

// system asks every service about itself, with the caller's own token: each decides whether the caller may know, and
// one that says no is believed. Without a service that says yes nothing is shown.
func (h *handler) system(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(outgoing(r), systemDeadline)
	defer cancel()
	answers := make([]*systemv1.GetSystemResponse, len(h.backends))
	failures := make([]error, len(h.backends))
	var group sync.WaitGroup
	for i, b := range h.backends {
		group.Go(func() {
			answers[i], failures[i] = systemv1.NewSystemServiceClient(b.Conn).GetSystem(ctx, &systemv1.GetSystemRequest{})
		})
	}
	group.Wait()

	report := systemReport{Gateway: gatewayReport{h.version, h.started.UTC()}}
	reached := false
	for i, b := range h.backends {
		s := status.Convert(failures[i])
		switch s.Code() {
		case codes.OK:
			reached = true
			report.Services = append(report.Services, described(b.Name, answers[i]))
		case codes.PermissionDenied, codes.Unauthenticated:
			writeStatus(w, r, httpStatus(s.Code()), s)
			return
		default:
			report.Services = append(report.Services, serviceReport{Service: b.Name, Problem: reason(s)})
		}
	}
	if !reached {
		refuse(w, r, noneReachable())
		return
	}
	writeJSON(w, http.StatusOK, report)
}

func described(name string, answer *systemv1.GetSystemResponse) serviceReport {
	body, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(answer)
	if err != nil {
		return serviceReport{Service: name, Problem: "ANSWER_UNREADABLE"}
	}
	return serviceReport{Service: name, Reachable: true, System: body}
}

// reason is what a program reads first: the service's own word, else gRPC's.
func reason(s *status.Status) string {
	if info := detail[*errdetails.ErrorInfo](s); info != nil {
		return info.GetReason()
	}
	return s.Code().String()
}

// outgoing is the context of a call that the router does not make for us, with the same metadata.
func outgoing(r *http.Request) context.Context {
	md := callMetadata(r.Context(), r)
	if token := r.Header.Get("Authorization"); token != "" {
		md.Set("authorization", token)
	}
	return metadata.NewOutgoingContext(r.Context(), md)
}
