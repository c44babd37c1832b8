module github.com/libertaphonix/libertaphonix/proto

go 1.26.0

require (
	github.com/libertaphonix/libertaphonix/kit v0.0.0
)

replace (
	github.com/libertaphonix/libertaphonix/kit => ../kit
)
