// Command gateway is the only HTTP door of the suite: REST, its documentation, and health. See the README beside internal.
package main

import (
	"github.com/libertaphonix/libertaphonix/gateway/internal/app"
	"github.com/libertaphonix/libertaphonix/kit/run"
)

func main() {
	run.Main(run.Program[app.Config]{Name: app.Name, New: app.New, Check: app.Check})
}
