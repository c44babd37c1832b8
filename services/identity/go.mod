module github.com/libertaphonix/libertaphonix/services/identity

go 1.26.0

require (
	github.com/libertaphonix/libertaphonix/kit v0.0.0
	github.com/libertaphonix/libertaphonix/proto v0.0.0
)

require (
	github.com/google/go-cmp v0.7.0 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/pgx/v5 v5.12.0 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)

replace (
	github.com/libertaphonix/libertaphonix/kit => ../../kit
	github.com/libertaphonix/libertaphonix/proto => ../../proto
)
