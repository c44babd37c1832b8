package pass

import (
	"context"
	"time"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/quota"
)

// Quota reserves requests of a store's token before they are sent. It is counted
// per token and over all replicas (lesson P12).
type Quota interface {
	// Reserve takes one request from every window, or answers when to try again:
	// then nothing is taken. share is what part of each window this walk may
	// use. A zero wait means reserved.
	Reserve(ctx context.Context, storeID string, share quota.Share) (wait time.Time, err error)
	// Block keeps everybody from asking until then: the shop answered 429. A
	// block that ends later stays.
	Block(ctx context.Context, storeID string, until time.Time) error
}
