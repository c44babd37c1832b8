// Command ecosync turns EcoManager shops into orders. See the README beside internal.
package main

import (
	"github.com/libertaphonix/libertaphonix/kit/run"
	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/app"
)

func main() {
	run.Main(run.Program[app.Config]{Name: app.Name, New: app.New, Check: app.Check, Migrate: app.Migrate})
}
