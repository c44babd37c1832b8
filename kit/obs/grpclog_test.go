package obs

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/grpclog"
)

func TestWhatGRPCTellsIsInTheLogAndRedacted(t *testing.T) {
	var log bytes.Buffer
	before := grpcLog.target.Swap(NewLogger(&log, "shop", "v1", slog.LevelInfo))
	defer grpcLog.target.Store(before)
	grpclog.Component("core").Errorf("refused: Authorization: Bearer abc.def.ghi of %d", 0x5)
	grpclog.Warning("a connection went away") // below the level
	var line map[string]any
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatalf("%v in %s", err, log.String())
	}
	got := []any{line["level"], line["msg"], line["says"]}
	if diff := cmp.Diff([]any{"WARN", "grpc", "[core] refused: Authorization: Bearer *** of 5"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
