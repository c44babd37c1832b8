package app

import "github.com/libertaphonix/libertaphonix/kit/conf"

// Config is what orders reads from the environment: what every service reads, and nothing of its own.
type Config struct {
	conf.Service
}
