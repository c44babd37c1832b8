package stack

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestTheDemoFlowsAndItsCommandsWorkAsPrinted is `make run` with the real programs: what a newcomer sees in the first minute.
func TestTheDemoFlowsAndItsCommandsWorkAsPrinted(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts the real programs")
	}
	o := options(t)
	o.Bin, o.Prebuilt = t.TempDir(), false
	o.Demo, o.DemoOrders, o.DemoSpeed = true, 80, 0.001
	grpcurl := grpcurlOrStub(t, o.Bin)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // a cold build cache included
	defer cancel()
	s, err := Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})

	d := openDemo(t, s)
	first := syncDemo(t, d)
	if first.Stores != 5 || first.Created < 100 {
		t.Errorf("the first sync: %+v", first)
	}
	if again := syncDemo(t, openDemo(t, s)); again.Stores != 5 || again.Created+again.Updated != 0 {
		t.Errorf("opening the demo and syncing a second time: %+v", again)
	}
	order := `{"count":3,"change":{"name":"محمد بن علي","stage":"DISPATCH"}}`
	resp, err := http.Post(s.ShopsURL()+"/control/tenants/numidia/shops/ZINA/orders", "application/json", strings.NewReader(order))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	d.admin.expires = time.Now() // as after a quarter of an hour: the refresh token takes over
	before := d.admin.refresh
	if arrived := syncDemo(t, d); arrived.Created != 3 {
		t.Errorf("three orders arrived, the sync: %+v", arrived)
	}

	if d.admin.refresh == before {
		t.Error("the launcher logged in again, or not at all, in place of refreshing")
	}

	text, err := d.Welcome(ctx)
	if err != nil {
		t.Fatal(err)
	}
	outputs := runPrinted(t, text)
	for i, want := range []string{`^$`, `"totalSize": ?[1-9]`, `"status": ?"CANCELLED"`, `the customer changed his mind`, `"result": "SUCCEEDED"`} {
		if i == 4 && !grpcurl {
			continue
		}
		if !regexp.MustCompile(want).MatchString(outputs[i]) {
			t.Errorf("command %d answered %q, want %s", i+1, outputs[i], want)
		}
	}
}

func openDemo(t *testing.T, s *Stack) *Demo {
	t.Helper()
	d, err := s.OpenDemo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func syncDemo(t *testing.T, d *Demo) Synced {
	t.Helper()
	sum, err := d.Sync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if sum.Failed > 0 {
		t.Fatalf("stores failed: %v", sum.Messages)
	}
	return sum
}

// grpcurlOrStub puts the grpcurl of this machine where the launcher looks for it, else something in its place: building it needs the
// network, which no test may.
func grpcurlOrStub(t *testing.T, bin string) bool {
	t.Helper()
	path := filepath.Join(bin, "grpcurl")
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	if built, _ := filepath.Glob(filepath.Join(cache, "libertaphonix", "tools", "grpcurl-*")); len(built) > 0 {
		if err := os.Symlink(built[0], path); err != nil {
			t.Fatal(err)
		}
		return true
	}
	if _, err := exec.LookPath("grpcurl"); err == nil {
		return true
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return false
}

// runPrinted takes the commands out of the welcome, gives them to one shell as a person would, and answers what each printed.
func runPrinted(t *testing.T, welcome string) []string {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	_, commands, found := strings.Cut(welcome, "Five commands to try, in another terminal:\n")
	commands, _, ended := strings.Cut(commands, "\nCtrl-C")
	if !found || !ended {
		t.Fatalf("the welcome has no commands:\n%s", welcome)
	}
	const mark = "----next----"
	script := regexp.MustCompile(`(?m)^# \d\. .*$`).ReplaceAllString(commands, "echo "+mark)
	out, err := exec.Command("bash", "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	outputs := strings.Split(string(out), mark+"\n")[1:]
	if len(outputs) != 5 {
		t.Fatalf("%d commands printed:\n%s", len(outputs), commands)
	}
	for i := range outputs {
		outputs[i] = strings.TrimSpace(outputs[i])
	}
	return outputs
}
