// Command orders stores orders and is the only judge of an order's status. See the README beside internal.
package main

import (
	"github.com/libertaphonix/libertaphonix/kit/run"
	"github.com/libertaphonix/libertaphonix/services/orders/internal/app"
)

func main() {
	run.Main(run.Program[app.Config]{Name: app.Name, New: app.New, Check: app.Check, Migrate: app.Migrate})
}
