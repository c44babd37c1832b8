package stack

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/libertaphonix/libertaphonix/dev/demo"
)

// Welcome is what a person reads when everything runs: where it is, who can log in, and five commands that work as they stand.
func (d *Demo) Welcome(ctx context.Context) (string, error) {
	id, err := d.anOrder(ctx)
	if err != nil {
		return "", err
	}
	stores, err := d.knownStores(ctx)
	if err != nil {
		return "", err
	}
	store := stores[0].ID // OpenDemo made them
	root, admin := d.stack.GatewayURL(), demo.Admin()
	var grpcurl string
	select {
	case grpcurl = <-d.stack.grpcurl:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }

	line("")
	line("  Open           %s             every call explained: %[1]s/docs", root)
	line("  Shops          %s/control     the simulated shops' control door", d.stack.ShopsURL())
	line("")
	for i, a := range append([]demo.Account{admin}, demo.Staff()[:2]...) {
		title := []string{"Admin", "Manager", "Agent"}[i]
		line("  %-14s %-22s %s", title, a.Email, a.Password)
	}
	line("")
	line("Five commands to try, in another terminal:")
	line("")
	line("# 1. Log in")
	line(`TOKEN=$(curl -s %s/api/v1/auth/login -H 'Content-Type: application/json' -d '{"email":"%s","password":"%s"}' | sed -E 's/.*"accessToken": ?"([^"]+)".*/\1/')`,
		root, admin.Email, admin.Password)
	line("")
	line("# 2. Find orders by a name, in either alphabet")
	line(`curl -s --get -H "Authorization: Bearer $TOKEN" %s/api/v1/orders --data-urlencode 'q=%s' -d pageSize=2 -d withTotal=true; echo`, root, "محمد")
	line("")
	line("# 3. Cancel an order, with a reason")
	line(`curl -s -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' %s/api/v1/orders/%s:changeStatus -d '{"status":"CANCELLED","reason":"the customer changed his mind"}'; echo`, root, id)
	line("")
	line("# 4. Read its history")
	line(`curl -s -H "Authorization: Bearer $TOKEN" %s/api/v1/orders/%s/history; echo`, root, id)
	line("")
	line("# 5. Sync one shop over gRPC and watch its progress")
	line(`%s -plaintext -H "authorization: Bearer $TOKEN" -d '{"storeIds":["%s"]}' %s libertaphonix.ecosync.v1.EcosyncService/SyncStores`, grpcurl, store, d.stack.Target("ecosync"))
	line("")
	line("Ctrl-C stops everything; the data stays in %s (`make reset` removes it).", d.stack.dataDir)
	line("")
	return b.String(), nil
}

// anOrder picks an order that waits for an agent, for the commands to act on; any order when none does.
func (d *Demo) anOrder(ctx context.Context) (string, error) {
	for _, filter := range []string{"&status=PENDING", ""} {
		var list struct {
			Orders []struct {
				ID string `json:"id"`
			} `json:"orders"`
		}
		if err := d.admin.do(ctx, http.MethodGet, "/orders?pageSize=1"+filter, nil, &list); err != nil {
			return "", err
		}
		if len(list.Orders) > 0 {
			return list.Orders[0].ID, nil
		}
	}
	return "", fmt.Errorf("no order was stored; see the logs in %s", filepath.Join(d.stack.dataDir, "logs"))
}

// findGrpcurl answers how to call grpcurl on this machine: the installed one, or one built beside our programs while they start, which
// takes a minute the first time.
func (s *Stack) findGrpcurl(ctx context.Context) <-chan string {
	found := make(chan string, 1)
	if _, err := exec.LookPath("grpcurl"); err == nil {
		found <- "grpcurl"
		return found
	}
	go func() {
		path := filepath.Join(s.options.Bin, "grpcurl")
		if err := s.buildGrpcurl(ctx, path); err != nil && ctx.Err() == nil {
			s.console.say("launcher", "grpcurl could not be built, install it to try the gRPC command: %v", err)
			path = "grpcurl"
		}
		found <- path
	}()
	return found
}

func (s *Stack) buildGrpcurl(ctx context.Context, path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	root, err := repository()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(root, "tools", "tool"), "grpcurl")
	var complaint strings.Builder
	cmd.Stderr = &complaint
	built, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, complaint.String())
	}
	_ = os.Remove(path) // a link to a version that is gone
	return os.Symlink(strings.TrimSpace(string(built)), path)
}
