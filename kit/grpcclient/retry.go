package grpcclient

import (
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/grpc/backoff"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// reconnect is sooner than gRPC's own 1 s to 120 s: peers restart in seconds, and a person may be waiting.
var reconnect = backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second}

// config is the part of gRPC's service config that is used here
// (https://github.com/grpc/grpc/blob/master/doc/service_config.md).
type config struct {
	LoadBalancing   []map[string]struct{} `json:"loadBalancingConfig"`
	Methods         []methodConfig        `json:"methodConfig,omitempty"`
	RetryThrottling throttling            `json:"retryThrottling"`
}

type methodConfig struct {
	Names []methodName `json:"name"`
	Retry retryPolicy  `json:"retryPolicy"`
}

type methodName struct {
	Service string `json:"service"`
	Method  string `json:"method"`
}

type retryPolicy struct {
	MaxAttempts       int      `json:"maxAttempts"`
	InitialBackoff    string   `json:"initialBackoff"`
	MaxBackoff        string   `json:"maxBackoff"`
	BackoffMultiplier float64  `json:"backoffMultiplier"`
	Codes             []string `json:"retryableStatusCodes"`
}

type throttling struct {
	MaxTokens  int     `json:"maxTokens"`
	TokenRatio float64 `json:"tokenRatio"`
}

// retried: four attempts within two seconds or so cover the restart of a replica. UNAVAILABLE alone, because every other
// code is an answer.
var retried = retryPolicy{
	MaxAttempts: 4, InitialBackoff: "0.1s", MaxBackoff: "1s", BackoffMultiplier: 3, Codes: []string{"UNAVAILABLE"},
}

// serviceConfig says: every replica in turn, and again only what the contract calls idempotent. When most calls fail,
// retries stop (throttling), so that a peer in trouble does not get four times its load.
func serviceConfig(services []protoreflect.ServiceDescriptor) (string, error) {
	c := config{
		LoadBalancing:   []map[string]struct{}{{"round_robin": {}}},
		RetryThrottling: throttling{MaxTokens: 20, TokenRatio: 0.5},
	}
	var names []methodName
	for _, service := range services {
		for i := range service.Methods().Len() {
			if m := service.Methods().Get(i); idempotent(m) {
				names = append(names, methodName{Service: string(service.FullName()), Method: string(m.Name())})
			}
		}
	}
	if len(names) > 0 {
		c.Methods = []methodConfig{{Names: names, Retry: retried}}
	}
	text, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("grpcclient: write the service config: %w", err)
	}
	return string(text), nil
}

// idempotent reads the contract: NO_SIDE_EFFECTS and IDEMPOTENT may both be sent twice.
func idempotent(m protoreflect.MethodDescriptor) bool {
	options, ok := m.Options().(*descriptorpb.MethodOptions)
	return ok && options.GetIdempotencyLevel() != descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN
}
