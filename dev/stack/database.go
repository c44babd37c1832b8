package stack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/libertaphonix/libertaphonix/kit/conf"
	"github.com/libertaphonix/libertaphonix/kit/localpg"
)

const databaseName = "libertaphonix"

// startDatabase answers the URL of the database: the one that DATABASE_URL names, or a private server's. server is nil for the former.
func startDatabase(ctx context.Context, o Options, dataDir, given string, port int) (url string, server *localpg.Server, err error) {
	if given != "" {
		clean, _ := conf.WithoutPrisma(conf.Secret(given))
		if err := reach(ctx, clean.Reveal()); err != nil {
			return "", nil, fmt.Errorf("the database of DATABASE_URL cannot be reached: %w\nstart it, correct DATABASE_URL, or unset it to have a private PostgreSQL", err)
		}
		return given, nil, nil
	}
	dir := filepath.Join(dataDir, "postgres")
	if err := rotate(filepath.Join(dir, "postgres.log")); err != nil {
		return "", nil, err
	}
	server, err = localpg.Start(ctx, localpg.Config{Dir: dir, Fsync: !o.Throwaway, TCP: true, Port: port})
	if err != nil {
		return "", nil, fmt.Errorf("the private PostgreSQL did not start: %w", err)
	}
	if err := createDatabase(ctx, server.URL("postgres")); err != nil {
		_ = server.Stop()
		return "", nil, err
	}
	return server.URL(databaseName), server, nil
}

func reach(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

func createDatabase(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("the private PostgreSQL takes no connection: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var there bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = $1)`, databaseName).Scan(&there); err != nil {
		return err
	}
	if !there {
		_, err = conn.Exec(ctx, `CREATE DATABASE `+pgx.Identifier{databaseName}.Sanitize())
	}
	return err
}

// rotate puts a log that the server itself writes aside when it has grown; it can only be done while the server is down.
func rotate(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Size() < logMegabytes<<20 {
		return nil //nolint:nilerr // no log yet is nothing to rotate
	}
	return os.Rename(path, path+".1")
}
