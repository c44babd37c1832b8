package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/libertaphonix/libertaphonix/dev/demo"
	"github.com/libertaphonix/libertaphonix/dev/ecomanagersim"
	ecosyncv1 "github.com/libertaphonix/libertaphonix/proto/gen/libertaphonix/ecosync/v1"
)

func demoAdmin() demo.Account { return demo.Admin() }

// Demo is the demo business on a started stack: its people, its stores and its syncs. Everything is made through the public API, so
// making it again changes nothing.
type Demo struct {
	stack   *Stack
	admin   *restClient
	conn    *grpc.ClientConn
	ecosync ecosyncv1.EcosyncServiceClient
}

// ErrAdminChanged says that the data folder's first admin is not the demo's any more.
var ErrAdminChanged = errors.New("the demo admin cannot log in: the password was changed, or the data folder was made by `make up`; " +
	"`make reset` starts afresh, or set DATA_DIR to another folder")

// OpenDemo makes what is missing of the demo's people and stores.
func (s *Stack) OpenDemo(ctx context.Context) (*Demo, error) {
	if s.shops == nil {
		return nil, errors.New("the stack was started without the demo shops")
	}
	conn, err := grpc.NewClient(s.Target("ecosync"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	d := &Demo{
		stack: s, conn: conn, ecosync: ecosyncv1.NewEcosyncServiceClient(conn),
		admin: &restClient{root: s.GatewayURL(), account: demo.Admin()},
	}
	if err := errors.Join(d.people(ctx), d.stores(ctx)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return d, nil
}

// Close lets the connection go.
func (d *Demo) Close() error { return d.conn.Close() }

func (d *Demo) people(ctx context.Context) error {
	if _, err := d.admin.token(ctx); err != nil {
		if refusedFor(err, "INVALID_CREDENTIALS") {
			return ErrAdminChanged
		}
		return fmt.Errorf("log in as %s: %w", d.admin.account.Email, err)
	}
	for _, a := range demo.Staff() {
		body := struct {
			Email    string `json:"email"`
			Name     string `json:"name"`
			Role     string `json:"role"`
			Password string `json:"password"`
		}{a.Email, a.Name, a.Role, a.Password}
		if err := d.admin.do(ctx, http.MethodPost, "/users", body, nil); err != nil && !refusedFor(err, "EMAIL_TAKEN") {
			return fmt.Errorf("make the login %s: %w", a.Email, err)
		}
	}
	return nil
}

// restStore is what the launcher reads and writes of a store.
type restStore struct {
	ID         string `json:"id,omitempty"`
	Identifier string `json:"identifier,omitempty"`
	Name       string `json:"name,omitempty"`
	BaseURL    string `json:"baseUrl,omitempty"`
	Token      string `json:"apiToken,omitempty"` // never answered
}

// stores makes the five stores, and leads those of an earlier launch to where the shops are today.
func (d *Demo) stores(ctx context.Context) error {
	if _, err := d.admin.token(ctx); err != nil {
		return nil //nolint:nilerr // people told already
	}
	shops, err := d.shops(ctx)
	if err != nil {
		return err
	}
	known, err := d.knownStores(ctx)
	if err != nil {
		return err
	}
	for _, want := range demo.Shops() {
		token, there := shops[want.Tenant+"/"+want.Code]
		if !there {
			return fmt.Errorf("the simulator has no shop %s/%s", want.Tenant, want.Code)
		}
		store := restStore{Identifier: want.Code, Name: want.Name, BaseURL: d.stack.ShopsURL() + "/" + want.Tenant, Token: token}
		if err := d.store(ctx, store, known); err != nil {
			return fmt.Errorf("store %s: %w", want.Code, err)
		}
	}
	return nil
}

func (d *Demo) knownStores(ctx context.Context) ([]restStore, error) {
	var list struct {
		Stores []restStore `json:"stores"`
	}
	err := d.admin.do(ctx, http.MethodGet, "/stores?pageSize=200", nil, &list)
	return list.Stores, err
}

func (d *Demo) store(ctx context.Context, want restStore, known []restStore) error {
	for _, have := range known {
		if have.Identifier != want.Identifier {
			continue
		}
		if host(have.BaseURL) == host(want.BaseURL) {
			return nil
		}
		// The shops moved to another port. URL and token are saved together, as a person would.
		change := restStore{BaseURL: want.BaseURL, Token: want.Token}
		return d.admin.do(ctx, http.MethodPatch, "/stores/"+have.ID, change, nil)
	}
	return d.admin.do(ctx, http.MethodPost, "/stores", want, nil)
}

func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Host
}

// shops asks the simulator's control door for the tokens of the shops, by tenant/shop.
func (d *Demo) shops(ctx context.Context) (map[string]string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.stack.ShopsURL()+"/control/shops", http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var list struct {
		Shops []ecomanagersim.ShopInfo `json:"shops"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		return nil, fmt.Errorf("the simulator's list of shops: %w", err)
	}
	tokens := map[string]string{}
	for _, s := range list.Shops {
		tokens[s.Tenant+"/"+s.Shop] = s.Token
	}
	return tokens, nil
}

// Synced is what one sync over all stores did.
type Synced struct {
	Stores, Failed                        int
	Requests, Rows                        int
	Created, Updated, Unchanged, Rejected int
	Took                                  time.Duration
	Messages                              []string // of stores that failed: identifier and reason
}

// Sync runs EcosyncService.SyncStores over all active stores, as the scheduler will, and sums up how each store's pass ended.
func (d *Demo) Sync(ctx context.Context) (Synced, error) {
	began := time.Now()
	token, err := d.admin.token(ctx)
	if err != nil {
		return Synced{}, err
	}
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token))
	defer cancel()
	stream, err := d.ecosync.SyncStores(ctx, &ecosyncv1.SyncStoresRequest{})
	if err != nil {
		return Synced{}, err
	}
	latest := map[string]*ecosyncv1.SyncStoresResponse{}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Synced{}, err
		}
		latest[m.GetStoreId()] = m
	}
	sum := Synced{Took: time.Since(began)}
	for _, m := range latest {
		sum.add(m)
	}
	return sum, nil
}

func (s *Synced) add(m *ecosyncv1.SyncStoresResponse) {
	pass, n := m.GetPass(), m.GetPass().GetCounts()
	s.Stores++
	s.Requests += int(n.GetRequests())
	s.Rows += int(n.GetRows())
	s.Created += int(n.GetCreated())
	s.Updated += int(n.GetUpdated())
	s.Unchanged += int(n.GetUnchanged())
	s.Rejected += int(n.GetQuarantined())
	if pass.GetResult() == ecosyncv1.PassResult_FAILED {
		s.Failed++
		s.Messages = append(s.Messages, fmt.Sprintf("%s: %s %s", m.GetIdentifier(), pass.GetFailure(), pass.GetMessage()))
	}
}

// KeepSyncing syncs again and again until ctx ends, in the place of the scheduler, and sums up on the terminal now and then: quietly,
// because a person is reading the commands above it.
func (d *Demo) KeepSyncing(ctx context.Context) {
	const report = time.Minute
	tick := time.NewTicker(d.stack.options.SyncEvery)
	defer tick.Stop()
	var created, updated int
	var complaint string
	reported := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		sum, err := d.Sync(ctx)
		if ctx.Err() != nil {
			return
		}
		now := fmt.Sprint(err, sum.Messages)
		if trouble := err != nil || sum.Failed > 0; trouble && now != complaint {
			d.stack.console.say("sync", "not everything was synced: %s", now)
			complaint = now
		} else if !trouble {
			complaint = ""
		}
		created, updated = created+sum.Created, updated+sum.Updated
		if time.Since(reported) >= report {
			d.stack.console.say("sync", "in the last minute %d orders arrived and %d changed", created, updated)
			created, updated, reported = 0, 0, time.Now()
		}
	}
}
