module github.com/libertaphonix/libertaphonix/kit

go 1.26.0

