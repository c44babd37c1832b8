package rpc

import (
	"context"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/libertaphonix/libertaphonix/kit/rpcerr"
	"github.com/libertaphonix/libertaphonix/services/orders/internal/order"
)

func TestABatchThatOthersOvertookIsARaceToRepeatAndNoBugOfOurs(t *testing.T) {
	err := Errors.Status(context.Background(), fmt.Errorf("ingest 3 rows: %w", order.ErrOvertaken))
	if code, _, reason := rpcerr.Reason(err); code != codes.Aborted || reason != "INGEST_OVERTAKEN" {
		t.Errorf("%s %s: %v", code, reason, err)
	}
}
