module github.com/libertaphonix/libertaphonix/dev

go 1.26.0

require (
	github.com/libertaphonix/libertaphonix/kit v0.0.0
	github.com/libertaphonix/libertaphonix/proto v0.0.0
)

require golang.org/x/text v0.43.0

require github.com/google/go-cmp v0.7.0

replace (
	github.com/libertaphonix/libertaphonix/kit => ../kit
	github.com/libertaphonix/libertaphonix/proto => ../proto
)
