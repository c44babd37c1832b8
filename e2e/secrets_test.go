package e2e

import (
	"bytes"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// programs are the processes whose logs are read.
var programs = []string{"identity", "orders", "ecosync", "gateway"}

// TestNoSecretAndNoPhoneLeavesItsPlace puts secrets through every door and then looks for them where people and tools read: logs, answers, Redis
// (lessons P77 and P78).
func TestNoSecretAndNoPhoneLeavesItsPlace(t *testing.T) {
	s := business(t)
	s.openShops(t)
	s.sync(t)
	secrets := map[string]string{"the admin's password": adminPassword, "a first password": staffPassword, "the service key": serviceKey}
	for _, shop := range s.sim.Shops() {
		secrets["the token of "+shop.Shop] = shop.Token
	}
	for name, p := range map[string]*person{"admin": s.admin, "manager": s.manager, "agent": s.agent} {
		token, err := p.bearer()
		if err != nil {
			t.Fatal(err)
		}
		secrets["the access token of the "+name] = token
	}
	// Doors that a secret passes on a way that fails.
	s.send(http.MethodPost, "/api/v1/auth/login", `{"email":"`+adminEmail+`","password":"`+staffPassword+`x"}`, "")
	s.send(http.MethodPost, "/api/v1/auth/refresh", `{"refreshToken":"`+secrets["the admin's password"]+`"}`, "")
	s.send(http.MethodGet, "/api/v1/orders?q="+secrets["the access token of the admin"][:40], "", secrets["the access token of the agent"])
	s.admin.call(http.MethodPost, "/api/v1/stores", `{"identifier":"LEAK","name":"x","baseUrl":"https://169.254.169.254/","apiToken":"`+s.sim.Shops()[0].Token+`"}`)
	s.admin.call(http.MethodPost, "/api/v1/stores", `{"identifier":"LEAK","name":"x","baseUrl":"`+s.shops.URL+`/numidia","apiToken":"`+staffPassword+`"}`)
	s.admin.call(http.MethodGet, "/api/v1/stores", "")
	s.admin.call(http.MethodGet, "/api/v1/audit/stores", "")
	s.admin.call(http.MethodGet, "/api/v1/audit/users", "")
	s.admin.call(http.MethodGet, "/api/admin/system", "")

	orders, err := s.sim.Orders("numidia", "ALPH")
	if err != nil {
		t.Fatal(err)
	}
	var phones []string
	for _, o := range orders[:500] {
		if o.PhoneE164 != "" {
			phones = append(phones, o.PhoneE164[1:], "0"+o.PhoneE164[4:])
		}
	}
	s.manager.call(http.MethodGet, "/api/v1/orders?q="+phones[1], "")
	for _, program := range programs {
		log, err := os.ReadFile(s.stack.LogFile(program))
		if err != nil {
			t.Fatal(err)
		}
		if len(log) == 0 {
			t.Errorf("the log of %s is empty: nothing was proved", program)
		}
		absent(t, "the log of "+program, log, secrets)
		for _, phone := range phones {
			if bytes.Contains(log, []byte(phone)) {
				t.Errorf("the log of %s holds the telephone of a customer", program)
				break
			}
		}
	}
	s.mu.Lock()
	heard := bytes.Clone(s.heard.Bytes())
	s.mu.Unlock()
	absent(t, "an answer of the API", heard, secrets)
	absent(t, "Redis", everythingInRedis(t, s.stack.RedisURL()), secrets)
}

func absent(t *testing.T, place string, text []byte, secrets map[string]string) {
	t.Helper()
	for name, secret := range secrets {
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("%s holds %s", place, name)
		}
	}
}

// everythingInRedis is every key and value, as anybody with redis-cli sees them. The cache of sealed credentials must be among them, or the search
// proves nothing.
func everythingInRedis(t *testing.T, url string) []byte {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer func() { _ = client.Close() }()
	var all bytes.Buffer
	credentials := 0
	keys := client.Scan(t.Context(), 0, "*", 1000).Iterator()
	for keys.Next(t.Context()) {
		dump, err := client.Dump(t.Context(), keys.Val()).Result()
		if err != nil {
			t.Fatal(err)
		}
		plain, _ := client.Get(t.Context(), keys.Val()).Result()
		all.WriteString(keys.Val() + dump + plain)
		if strings.HasPrefix(keys.Val(), "credentials:ecosync:") {
			credentials++
		}
	}
	if err := keys.Err(); err != nil {
		t.Fatal(err)
	}
	if credentials == 0 {
		t.Error("no sealed credential is cached in Redis")
	}
	return all.Bytes()
}
