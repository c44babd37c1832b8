package pg

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"
)

// SQLSTATE codes this package acts on (PostgreSQL manual, appendix A).
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	queryCanceled        = "57014" // statement_timeout among others
	lockNotAvailable     = "55P03"
	readOnlyTransaction  = "25006" // a standby, or a primary that was demoted
	idleInTransaction    = "25P03"
	databaseDropped      = "57P04"
)

// Unavailable reports whether err means that the database could not answer now, so
// that a caller may be told UNAVAILABLE and try again: the connection was refused or
// lost, there are too many connections, it is starting, stopping or read-only, or
// the query ran out of its time. A cancelled context is the caller's own doing and
// is not counted.
func Unavailable(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		switch pgErr.Code {
		case queryCanceled, lockNotAvailable, readOnlyTransaction, idleInTransaction, serializationFailure, deadlockDetected:
			return true
		case databaseDropped:
			return false
		}
		class := pgErr.Code[:min(2, len(pgErr.Code))]
		return class == "08" || class == "53" || class == "57" || class == "58" // connection, resources, operator, system
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, puddle.ErrClosedPool) || pgconn.SafeToRetry(err)
}

// Violates reports whether err is the violation of the named constraint or unique
// index; an empty name matches any.
func Violates(err error, constraint string) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && strings.HasPrefix(pgErr.Code, "23") &&
		(constraint == "" || pgErr.ConstraintName == constraint)
}

// lostRace reports whether running the whole transaction again is the remedy.
func lostRace(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && (pgErr.Code == serializationFailure || pgErr.Code == deadlockDetected)
}
