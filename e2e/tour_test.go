package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var (
	tourBlock = regexp.MustCompile("(?s)## A tour.*?```sh\n(.*?)```")
	refusal   = regexp.MustCompile(`"code": ?[1-9]`)
)

// TestTheTourOfTheREADMEWorksAsPrinted runs its commands, with the addresses and the login of this business in place of those that make run prints.
func TestTheTourOfTheREADMEWorksAsPrinted(t *testing.T) {
	s := business(t)
	s.openShops(t)
	s.sync(t)
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := tourBlock.FindSubmatch(readme)
	if block == nil {
		t.Fatal("the README has no tour")
	}
	script := strings.NewReplacer(
		"localhost:8080", host(s.stack.GatewayURL()), "localhost:7102", s.stack.Target("orders"), "localhost:7103", s.stack.Target("ecosync"),
		"admin@demo.example", adminEmail, "demo-admin-password", adminPassword,
	).Replace(string(block[1]))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	found, err := exec.CommandContext(ctx, "../tools/tool", "grpcurl").Output()
	if err != nil {
		t.Fatalf("find grpcurl: %v", err)
	}
	folder := t.TempDir()
	if err := os.Symlink(strings.TrimSpace(string(found)), filepath.Join(folder, "grpcurl")); err != nil {
		t.Fatal(err)
	}
	shell := exec.CommandContext(ctx, "bash", "-e", "-o", "pipefail", "-c", script)
	shell.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"))
	output, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if refusal.Match(output) {
		t.Errorf("a command was refused:\n%s", output)
	}
	for what, want := range map[string]string{
		"the login": `"totalSize"`, "the cancelled order": `"the customer changed his mind"`, "the list of services": "libertaphonix.orders.v1.OrdersService",
		"the order over gRPC": `"status": "CANCELLED"`, "the sync": `"result": "SUCCEEDED"`,
	} {
		if !strings.Contains(string(output), want) {
			t.Errorf("%s: no %s in\n%.2000s", what, want, output)
		}
	}
}
