package stack

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// redisServer is the Redis of this launch: the operator's, a private redis-server, or one inside this process.
type redisServer struct {
	url  string
	how  string // for the terminal
	stop func() error
}

func startRedis(ctx context.Context, dataDir, given string, port int, out *childLog) (*redisServer, error) {
	if given != "" {
		if err := ping(ctx, given); err != nil {
			return nil, fmt.Errorf("the Redis of REDIS_URL cannot be reached: %w\nstart it, correct REDIS_URL, or unset it to have a private one", err)
		}
		return &redisServer{url: given, how: "yours, from REDIS_URL", stop: func() error { return nil }}, nil
	}
	addr := at(port)
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return insideRedis(addr)
	}
	dir := filepath.Join(dataDir, "redis")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	_, text, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	p, err := spawn("redis", path, []string{
		"--bind", loopback, "--port", text, "--dir", dir, "--daemonize", "no", "--save", "60 1", "--appendonly", "no",
		"--loglevel", "warning",
	}, os.Environ(), dir, out)
	if err != nil {
		return nil, err
	}
	url := "redis://" + addr + "/0"
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		err := ping(ctx, url)
		if err == nil {
			return &redisServer{url: url, how: "private, on " + addr, stop: func() error { return p.stop(5 * time.Second) }}, nil
		}
		select {
		case <-p.done:
			return nil, fmt.Errorf("redis-server ended at its start (%s); see the lines above, or set REDIS_URL", p.verdict())
		case <-ctx.Done():
			p.kill()
			return nil, fmt.Errorf("the private Redis did not start: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// insideRedis serves Redis from this process where none is installed: enough for everything we ask of it, and gone with the process,
// which no one notices, because Redis holds nothing that cannot be rebuilt.
func insideRedis(addr string) (*redisServer, error) {
	m := miniredis.NewMiniRedis()
	if err := m.StartAddr(addr); err != nil {
		return nil, fmt.Errorf("the built-in Redis did not start: %w; install redis-server or set REDIS_URL", err)
	}
	m.ClockTTL(true) // else no key would ever expire
	return &redisServer{
		url: "redis://" + addr + "/0",
		how: "built in, on " + addr + " (no redis-server is installed)",
		stop: func() error {
			m.Close()
			return nil
		},
	}, nil
}

func ping(ctx context.Context, url string) error {
	o, err := redis.ParseURL(url)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, o.Network, o.Addr) // first, because the client's pool reports a refusal on the terminal
	if err != nil {
		return err
	}
	if err := conn.Close(); err != nil {
		return err
	}
	o.MaxRetries = -1
	c := redis.NewClient(o)
	defer func() { _ = c.Close() }()
	return c.Ping(ctx).Err()
}
