package ecomanagersim

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"time"

	"github.com/libertaphonix/libertaphonix/dev/demo"
)

// Config describes the world. The zero value of each field but Tenants is usable.
type Config struct {
	Seed    uint64           // same seed, same world
	Clock   func() time.Time // nil = time.Now; read for the Date header and for changes that happen now
	Tenants []TenantConfig
	History time.Duration // how far back the first orders go; 0 = 45 days
	Dirt    Dirt
	Engine  EngineSettings
	Quota   Quota // off unless asked for

	// DeliveryHosts are the hosts beside this machine that webhooks may be delivered to, as they stand in the delivery URL: "host" or
	// "host:port".
	DeliveryHosts []string

	// HookSpeed is how much faster than the clock the gaps between a delivery's retries pass; 0 = 1.
	HookSpeed float64

	// StatePath is a journal file: with it the world outlives the process, kill -9 included. An existing journal wins over the
	// generation from the seed. Empty = the world lives in memory only.
	StatePath string
}

// TenantConfig is one EcoManager account: its shops draw their order ids from one sequence.
type TenantConfig struct {
	Name    string // path prefix and first label of the virtual host: lower-case letters, digits, hyphens
	FirstID int64  // where its id sequence starts; 0 = 9400. Overlapping ranges between tenants are wanted (quirk Q3)
	Dialect Dialect
	Shops   []ShopConfig
}

// ShopConfig is one shop of a tenant.
type ShopConfig struct {
	Name         string // as addressed at the control door; unique in the tenant
	Prefix       string // of its references
	Token        string // empty = 80 letters and digits drawn from the seed
	Orders       int    // made before the start, spread over History
	OrdersPerDay float64
	Products     []demo.Product // empty = the products of the first demo shop
}

// EngineSettings are the life cycle's knobs, changed at run time over the control door.
type EngineSettings struct {
	Running bool    `json:"running"`
	Speed   float64 `json:"speed"` // business time per real time: 60 = an hour of business a minute
}

// Demo answers the configuration of the demo stores: five shops on two tenants with overlapping ids.
func Demo(seed uint64, ordersPerShop int) Config {
	cfg := Config{Seed: seed, Dirt: LightDirt(), Engine: EngineSettings{Running: true, Speed: 60}, Quota: Quota{On: true}, HookSpeed: 60}
	at := map[string]int{}
	for _, s := range demo.Shops() {
		i, known := at[s.Tenant]
		if !known {
			i = len(cfg.Tenants)
			at[s.Tenant] = i
			cfg.Tenants = append(cfg.Tenants, TenantConfig{
				Name: s.Tenant, FirstID: 9400 + 350*int64(i), Dialect: Dialect(i % int(dialects)),
			})
		}
		cfg.Tenants[i].Shops = append(cfg.Tenants[i].Shops, ShopConfig{
			Name: s.Code, Prefix: s.Prefix, Orders: ordersPerShop, OrdersPerDay: s.OrdersPerDay, Products: s.Products,
		})
	}
	return cfg
}

const (
	defaultHistory = 45 * 24 * time.Hour
	defaultFirstID = 9400
	tokenLength    = 80
)

var tenantName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// normalise fills defaults and draws the missing tokens, on a copy.
func (c Config) normalise() (Config, error) {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.History == 0 {
		c.History = defaultHistory
	}
	tokens := map[string]string{}
	names := map[string]bool{}
	c.Tenants = append([]TenantConfig(nil), c.Tenants...)
	for i := range c.Tenants {
		t := &c.Tenants[i]
		switch {
		case !tenantName.MatchString(t.Name) || t.Name == "control":
			return c, fmt.Errorf("tenant %q: a name is lower-case letters, digits and hyphens, and not \"control\"", t.Name)
		case names[t.Name]:
			return c, fmt.Errorf("tenant %q is given twice", t.Name)
		case t.Dialect < 0 || t.Dialect >= dialects:
			return c, fmt.Errorf("tenant %q: there is no dialect %d", t.Name, t.Dialect)
		}
		names[t.Name] = true
		if t.FirstID == 0 {
			t.FirstID = defaultFirstID
		}
		t.Shops = append([]ShopConfig(nil), t.Shops...)
		shops := map[string]bool{}
		for j := range t.Shops {
			s := &t.Shops[j]
			if s.Name == "" || shops[s.Name] {
				return c, fmt.Errorf("tenant %q: shop name %q is empty or given twice", t.Name, s.Name)
			}
			shops[s.Name] = true
			if s.Token == "" {
				s.Token = drawToken(rand.New(rand.NewPCG(c.Seed, hash(t.Name, s.Name))))
			}
			if other, taken := tokens[s.Token]; taken {
				return c, fmt.Errorf("shop %s/%s has the token of %s", t.Name, s.Name, other)
			}
			tokens[s.Token] = t.Name + "/" + s.Name
			if len(s.Products) == 0 {
				s.Products = demo.Shops()[0].Products
			}
		}
	}
	return c, nil
}

// drawToken makes a token of the vendor's shape: 80 letters and digits.
func drawToken(r *rand.Rand) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, tokenLength)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}
