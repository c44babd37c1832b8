package ecomanagersim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
	_ "time/tzdata" // the vendor's wall clock must not depend on what is installed
)

// Server is the simulator: an http.Handler with the shop API and the control door, and the same control as Go methods (door.go).
// All methods may be called at any time from any goroutine.
type Server struct {
	cfg  Config
	zone *time.Location
	mux  *http.ServeMux

	// mu guards everything below. Orders are immutable, so readers hold it only to pick pointers.
	mu      sync.RWMutex
	tenants []*tenant
	tokens  map[string]*credential
	counts  map[string]*RequestCount // by tenant/shop
	strays  int                      // requests that no token claimed
	dirt    Dirt

	quota      Quota
	shopQuotas map[string]Quota  // by tenant/shop, in place of quota
	spent      map[string]*spent // by token
	faults     []*Fault
	lastFault  int
	chance     *rand.Rand // decides shares

	deliveries []*delivery
	lastHook   int64
	hookSpeed  float64

	engine   engine
	arrivals *rand.Rand
	journal  *journal
	bulk     bool // indexes and journal wait for settle

	courier *http.Client  // takes deliveries to their hooks
	closing chan struct{} // closed by Close: who is kept waiting by a fault is let go
	close   sync.Once
}

// credential is one token that was ever given out; a replaced one is still recognised, and refused with 403 rather than 401.
type credential struct {
	tenant *tenant
	shop   *shop
	valid  bool
}

// New makes the world of a configuration, or loads it from the journal, and answers a server for it. Nothing runs yet: serve it, and
// call Run to let time pass.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.normalise()
	if err != nil {
		return nil, fmt.Errorf("ecomanager simulator: %w", err)
	}
	if err := errors.Join(cfg.Dirt.validate(), cfg.Quota.validate(), validSpeed(cfg.HookSpeed)); err != nil {
		return nil, fmt.Errorf("ecomanager simulator: %w", err)
	}
	zone, err := time.LoadLocation("Africa/Algiers") // the vendor writes local time without saying so (ecomanager.md 1.7)
	if err != nil {
		return nil, fmt.Errorf("ecomanager simulator: %w", err)
	}
	s := &Server{
		cfg: cfg, zone: zone, dirt: cfg.Dirt, quota: cfg.Quota, hookSpeed: cfg.HookSpeed, closing: make(chan struct{}), courier: newCourier(),
		shopQuotas: map[string]Quota{}, spent: map[string]*spent{},
		chance: rand.New(rand.NewPCG(cfg.Seed, hash("chance"))),
		tokens: map[string]*credential{}, counts: map[string]*RequestCount{},
		engine:   engine{settings: cfg.Engine, current: map[moveKey]uint64{}},
		arrivals: rand.New(rand.NewPCG(cfg.Seed, hash("arrivals"))),
	}
	for _, tc := range cfg.Tenants {
		t := newTenant(tc)
		s.tenants = append(s.tenants, t)
		for _, sh := range t.shops {
			s.tokens[sh.cfg.Token] = &credential{tenant: t, shop: sh, valid: true}
			s.counts[tc.Name+"/"+sh.cfg.Name] = &RequestCount{Tenant: tc.Name, Shop: sh.cfg.Name}
		}
	}
	now := cfg.Clock()
	loaded, err := s.load(now)
	if err != nil {
		return nil, fmt.Errorf("ecomanager simulator: %w", err)
	}
	if !loaded {
		s.generate(now)
	}
	if err := s.openJournal(); err != nil {
		return nil, fmt.Errorf("ecomanager simulator: %w", err)
	}
	s.openShops()
	s.mux = s.routes()
	return s, nil
}

// Release lets go of the requests that faults hold, now and from now on, so that an HTTP server can shut down without waiting for their
// callers.
func (s *Server) Release() { s.close.Do(func() { close(s.closing) }) }

// Close releases held requests and closes the journal.
func (s *Server) Close() error {
	s.Release()
	s.courier.CloseIdleConnections()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journal.close()
}

// ServeHTTP serves the control door under /control and the shop API everywhere else.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	s.routeControl(mux)
	mux.HandleFunc("/", s.serveShopAPI)
	return mux
}
